"""`mien db` as an operator types it, on both kinds of database."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, CameraMinute, minute_of
from storage import tables
from storage.engine import open_database
from storage.partitions import DAY_US, TIMES, days
from storage.writer import Writer
from tests.support.databases import administrator, observation, results, rows, visit
from tests.support.processes import mien

NOW = time.time_ns() // 1000


def fill(url: str, *ages_in_days: int) -> None:
    """A closed visit for each age, its minute of coverage with it."""
    engine = open_database(url)
    for age in ages_in_days:
        start = NOW - age * DAY_US
        seen = visit(f"v{age}", closed=True, first_seen=start)
        coverage = CameraMinute("till", minute_of(start), captured=1)
        Writer(engine).write(results([seen], minutes=[coverage]), {})
    engine.dispose()


def kept(url: str) -> list[str]:
    engine = open_database(url)
    found = [str(row["visit_id"]) for row in rows(engine, tables.visits)]
    engine.dispose()
    return found


def test_a_database_from_its_first_day_to_its_end(tmp_path: Path, database_url: str) -> None:
    where = ("--database", database_url)
    made = mien(tmp_path, "db", "upgrade", *where)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("version 0001\n")
    assert ("made days of visits: 20" in made.stdout) == database_url.startswith("postgresql")
    again = mien(tmp_path, "db", "upgrade", *where)
    assert (again.returncode, again.stdout.count("none")) == (0, made.stdout.count("made"))

    fill(database_url, 0, 10, 500)
    upkeep = mien(tmp_path, "db", "maintain", *where)
    assert upkeep.returncode == 0, upkeep.stderr
    assert "deleted 1 visits, 1 visit_minutes, 1 camera_minutes\n" in upkeep.stdout
    assert "closed 0 visits that lost their worker" in upkeep.stdout
    assert kept(database_url) == ["v0", "v10"]

    sound = mien(tmp_path, "db", "check", *where)
    assert sound.returncode == 0, sound.stdout
    assert "ok  version: 0001, newest is 0001" in sound.stdout
    assert "ok  rollup: 0 cells differ" in sound.stdout
    assert all(line.startswith("ok  ") for line in sound.stdout.splitlines())

    date = time.strftime("%Y-%m-%d", time.gmtime(NOW / MICROSECONDS - 5 * 86_400))
    asked = mien(tmp_path, "db", "purge", *where, "--before", date)
    assert asked.returncode == 2
    cost = "1 visits, 1 visit_minutes, 1 camera_minutes"
    assert asked.stderr == f"error: --before {date}: would delete {cost}; add --yes to do it\n"
    assert kept(database_url) == ["v0", "v10"]
    purged = mien(tmp_path, "db", "purge", *where, "--before", date, "--yes")
    assert (purged.returncode, purged.stdout) == (0, f"deleted {cost}\n")
    assert kept(database_url) == ["v0"]
    nothing = mien(tmp_path, "db", "purge", *where)
    assert (nothing.returncode, nothing.stdout) == (0, "deleted nothing\n")


def test_the_settings_say_how_long_rows_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    fill(url, 0, 10)
    settings = {"MIEN_DATABASE": url, "MIEN_KEEP_VISITS_DAYS": "5"}
    purged = mien(tmp_path, "db", "purge", variables=settings)
    assert (purged.returncode, purged.stdout) == (0, "deleted 1 visits, 1 visit_minutes\n")


def test_a_finding_is_told_and_is_the_exit_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    fill(url, 0)
    engine = open_database(url)
    Writer(engine).write(results(observations=[observation("nobody")]), {})
    engine.dispose()
    found = mien(tmp_path, "db", "check", "--database", url)
    assert (found.returncode, found.stderr) == (1, "")
    assert "no  observations: 1 belong to no visit" in found.stdout
    assert found.stdout.count("ok  ") == len(found.stdout.splitlines()) - 1


def test_a_date_in_the_future_takes_everything_and_today_is_made_anew(
    tmp_path: Path, postgresql_url: str
) -> None:
    mien(tmp_path, "db", "upgrade", "--database", postgresql_url)
    fill(postgresql_url, 0)
    where = ("--database", postgresql_url)
    assert mien(tmp_path, "db", "purge", *where, "--before", "2100-01-01", "--yes").returncode == 0
    assert mien(tmp_path, "db", "check", *where).returncode == 0
    engine = open_database(postgresql_url)
    with engine.connect() as connection:
        assert all(len(days(connection, each)) == 8 for each in TIMES)
    engine.dispose()


def test_a_writer_may_neither_maintain_nor_purge(tmp_path: Path, postgresql_url: str) -> None:
    writer = f"writer_{uuid.uuid4().hex[:8]}"
    url = sa.make_url(postgresql_url).set(username=writer).render_as_string(hide_password=False)
    try:
        assert (
            mien(tmp_path, "db", "upgrade", "--database", postgresql_url, "--writer", writer).returncode == 0
        )
        for command in (["maintain"], ["purge"], ["purge", "--before", "2100-01-01", "--yes"]):
            refused = mien(tmp_path, "db", *command, "--database", url)
            assert refused.returncode == 2
            assert refused.stderr.startswith("error: database: only the owner of its tables may do this")
            assert len(refused.stderr.splitlines()) == 1
        checked = mien(tmp_path, "db", "check", "--database", url)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    finally:
        engine = sa.create_engine(postgresql_url)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {writer}")
        engine.dispose()
        with administrator() as connection:
            connection.exec_driver_sql(f"DROP ROLE {writer}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["upgrade", "--writer", "me"], "has no roles"),
        (["upgrade", "--reader", "Not A Name"], "use 1 to 63 of a-z"),
        (["upgrade", "--database", "postgresql://u:hush@127.0.0.1:1/d"], "Connection refused"),
        (["check", "--database", "sqlite:///none.db"], "does not exist yet"),
        (["purge", "--before", "yesterday"], "yesterday"),
    ],
)
def test_what_cannot_be_done_says_why(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = mien(tmp_path, "db", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_table_that_is_in_use_for_too_long_is_one_line(tmp_path: Path, postgresql_url: str) -> None:
    where = ("--database", postgresql_url)
    fill(postgresql_url, 450)
    engine = open_database(postgresql_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE visits IN ACCESS SHARE MODE")
        connection.exec_driver_sql("LOCK TABLE visits_default IN ROW EXCLUSIVE MODE")
        stuck = mien(tmp_path, "db", "upgrade", *where)
    engine.dispose()
    assert stuck.returncode == 2
    assert "lock timeout" in stuck.stderr
    assert len(stuck.stderr.splitlines()) == 1
    assert mien(tmp_path, "db", "maintain", *where).returncode == 0
