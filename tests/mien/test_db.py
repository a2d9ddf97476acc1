"""`mien db` from the command line, on both kinds of database."""

from __future__ import annotations

import re
import time
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, CameraMinute, minute_of
from common.access import LOCAL
from common.clock import wall_clock_us
from storage import tables
from storage.day_partitions import DAY_US, PARTITION_COLUMNS, read_day_partitions
from storage.engine import open_database
from storage.protection import Protection, change_protection
from storage.writer import Writer
from tests.support.databases import administrator, observation, results, rows, visit
from tests.support.processes import mien

NOW = wall_clock_us()


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


def test_upgrade_maintain_check_and_purge_of_one_database(tmp_path: Path, database_url: str) -> None:
    where = ("--database", database_url)
    made = mien(tmp_path, "db", "upgrade", *where)
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("version 0")
    assert ("created day partitions of visits: 20" in made.stdout) == database_url.startswith("postgresql")
    again = mien(tmp_path, "db", "upgrade", *where)
    assert (again.returncode, again.stdout.count("none")) == (0, made.stdout.count("created"))

    fill(database_url, 0, 10, 500)
    upkeep = mien(tmp_path, "db", "maintain", *where)
    assert upkeep.returncode == 0, upkeep.stderr
    assert (
        "deleted 1 visits, 1 visit_minutes, 1 rollup_changes, 2 visit_classes, 1 camera_minutes\n"
        in upkeep.stdout
    )
    assert "closed 0 visits whose worker died" in upkeep.stdout
    assert kept(database_url) == ["v0", "v10"]

    sound = mien(tmp_path, "db", "check", *where)
    assert sound.returncode == 0, sound.stdout
    assert re.search(r"ok  version: (\d+), newest is \1", sound.stdout)
    assert "ok  rollup: 0 cells differ" in sound.stdout
    assert all(line.startswith("ok  ") for line in sound.stdout.splitlines())

    date = time.strftime("%Y-%m-%d", time.gmtime(NOW / MICROSECONDS - 5 * 86_400))
    asked = mien(tmp_path, "db", "purge", *where, "--before", date)
    assert asked.returncode == 2
    cost = "1 visits, 1 visit_minutes, 1 camera_hours, 1 camera_days, 2 visit_classes, 1 camera_minutes"
    assert asked.stderr == f"error: --before {date}: would delete {cost}; add --yes to do it\n"
    assert kept(database_url) == ["v0", "v10"]
    purged = mien(tmp_path, "db", "purge", *where, "--before", date, "--yes")
    assert (purged.returncode, purged.stdout) == (0, f"deleted {cost}\n")
    assert kept(database_url) == ["v0"]
    nothing = mien(tmp_path, "db", "purge", *where)
    assert (nothing.returncode, nothing.stdout) == (0, "deleted nothing\n")


def test_the_settings_limit_the_age_of_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    fill(url, 0, 4, 10)
    settings = {"MIEN_DATABASE": url, "MIEN_KEEP_VISITS_DAYS": "5"}
    purged = mien(tmp_path, "db", "purge", variables=settings)
    assert (purged.returncode, purged.stdout) == (
        0,
        "deleted 1 visits, 1 visit_minutes, 1 rollup_changes, 2 visit_classes\n",
    )
    engine = open_database(url)
    change_protection(engine, LOCAL, Protection(10, 5, 30, 400), {"keep_visits_days": 3})
    engine.dispose()
    maintained = mien(tmp_path, "db", "maintain", variables=settings)
    assert maintained.returncode == 0, maintained.stderr
    assert kept(url) == ["v0"], "what an operator chose"


def test_a_failed_check_is_printed_and_sets_the_exit_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    fill(url, 0)
    engine = open_database(url)
    Writer(engine).write(results(observations=[observation("nobody")]), {})
    engine.dispose()
    found = mien(tmp_path, "db", "check", "--database", url)
    assert (found.returncode, found.stderr) == (1, "")
    assert "no  observations: 1 have no visit" in found.stdout
    assert found.stdout.count("ok  ") == len(found.stdout.splitlines()) - 1


def test_a_date_in_the_future_deletes_everything_and_recreates_the_partition_of_today(
    tmp_path: Path, postgresql_url: str
) -> None:
    mien(tmp_path, "db", "upgrade", "--database", postgresql_url)
    fill(postgresql_url, 0)
    where = ("--database", postgresql_url)
    assert mien(tmp_path, "db", "purge", *where, "--before", "2100-01-01", "--yes").returncode == 0
    assert mien(tmp_path, "db", "check", *where).returncode == 0
    engine = open_database(postgresql_url)
    with engine.connect() as connection:
        assert all(len(read_day_partitions(connection, each)) == 8 for each in PARTITION_COLUMNS)
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
def test_a_refused_command_prints_the_reason(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = mien(tmp_path, "db", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "hush" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lock_timeout_is_reported_in_one_line(tmp_path: Path, postgresql_url: str) -> None:
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
