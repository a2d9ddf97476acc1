"""Check and upkeep: a sound database passes, every kind of damage is found, upkeep mends what it can."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, CameraMinute, Partition, Results
from storage import tables
from storage.check import check
from storage.engine import open_database
from storage.maintenance import ABANDONED_US, maintain, make_days
from storage.partitions import DAY_US, day_of
from storage.retention import Retention, cutoffs_before, purge
from storage.writer import Writer
from tests.support.databases import T0, contents, estimate, observation, results, rows, visit

NOW = T0 + 3600 * MICROSECONDS


@pytest.fixture
def used(engine: sa.Engine) -> sa.Engine:
    """A database after an hour of use, its days made before."""
    make_days(engine, NOW)
    random_ = random.Random(1)
    writer = Writer(engine)
    for number in range(40):
        looks = estimate(
            random_.choice(tables.EXPRESSIONS), random_.choice(["female", "male"]), random_.random()
        )
        seen = visit(
            f"v{number}",
            closed=number % 8 > 0,
            first_seen=T0 + random_.randrange(3000 * MICROSECONDS),
            seconds=random_.uniform(1, 30),
            looks=looks,
        )
        counts = CameraMinute("till", T0, captured=9, analysed=6, dropped={"buffer full": 2, "too large": 1})
        writer.write(
            results([seen], [observation(f"v{number}", number)], [counts]),
            {Partition("frames", 0): number + 1},
        )
    return engine


def unsound(engine: sa.Engine, now: int = NOW) -> dict[str, str]:
    """What does not hold, with what was found."""
    return {each.what: each.found for each in check(engine, now) if not each.fine}


def test_a_used_database_is_sound_and_stays_as_it_is(used: sa.Engine) -> None:
    before = contents(used)
    findings = {each.what for each in check(used, NOW)}
    assert {"version", "positions", "visits", "rollup", "observations", "drops"} < findings
    assert unsound(used) == {}
    assert contents(used) == before


def test_an_empty_database_is_sound_once_its_days_are_made(engine: sa.Engine) -> None:
    make_days(engine, NOW)
    assert unsound(engine) == {}


@pytest.mark.parametrize(
    ("statement", "what", "found"),
    [
        (
            "DELETE FROM visit_minutes WHERE minute = (SELECT min(minute) FROM visit_minutes)",
            "rollup",
            "cells differ",
        ),
        ("UPDATE visit_minutes SET visits = visits + 1", "rollup", "cells differ"),
        ("UPDATE visit_minutes SET mood = mood + 0.001", "rollup", "cells differ"),
        ("UPDATE visit_minutes SET dwell_us = dwell_us + 1", "rollup", "cells differ"),
        ("UPDATE visit_minutes SET p_female = p_female + 0.001", "rollup", "cells differ"),
        ("DELETE FROM visits WHERE visit_id = 'v1'", "observations", "1 belong to no visit"),
        ("UPDATE offsets SET next_offset = -1", "positions", "1, of which 1 lie before the beginning"),
        ("UPDATE camera_drops SET frames = 0 WHERE reason = 'too large'", "drops", "1 minutes differ from"),
        ("DELETE FROM camera_minutes", "drops", "1 minutes differ from"),
    ],
)
def test_damage_is_found(used: sa.Engine, statement: str, what: str, found: str) -> None:
    with used.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
    assert found in unsound(used)[what]


def test_a_visit_with_two_beginnings_is_found(used: sa.Engine) -> None:
    """Nothing that analyses does so: the key cannot refuse it, since it holds the time."""
    Writer(used).write(results([visit("twice", first_seen=T0), visit("twice", first_seen=T0 + 1)]), {})
    assert unsound(used) == {"visits": "1 are there more than once"}


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mien.db"
    engine = open_database(f"sqlite:///{path}")
    Writer(engine).write(results([visit(f"v{i}") for i in range(2000)]), {})
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        root = connection.exec_driver_sql(
            "SELECT rootpage FROM sqlite_master WHERE name = 'visits_by_time'"
        ).scalar_one()
    engine.dispose()
    with path.open("r+b") as file:
        file.seek((int(root) - 1) * 4096 + 12)
        file.write(b"\xff" * 200)
    damaged = open_database(f"sqlite:///{path}")
    assert any(each.what == "file" and not each.fine for each in check(damaged, NOW))
    damaged.dispose()


def test_days_that_run_out_are_found_in_time(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    fix = ": run `mien db maintain`"
    days = ("days of visits", "days of observations")
    assert unsound(engine) == dict.fromkeys(days, f"none for today{fix}")
    make_days(engine, NOW)
    assert unsound(engine, NOW + 4 * DAY_US) == {}
    assert unsound(engine, NOW + 5 * DAY_US) == dict.fromkeys(days, f"2 ahead{fix}")
    engine.dispose()


def test_rows_without_a_day_are_found_and_placed(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    Writer(engine).write(results([visit("now"), visit("ahead", first_seen=T0 + 300 * DAY_US)]), {})
    where = "rows of visits without a day"
    future = "1 rows lie in the future: a camera's clock is wrong"
    assert unsound(engine)[where] == f"1 rows wait for their day: run `mien db maintain`; {future}"
    maintain(engine, Retention(), NOW)
    assert unsound(engine) == {where: future}
    engine.dispose()


def test_upkeep_leaves_a_sound_database_that_is_younger(used: sa.Engine) -> None:
    old = T0 - 20 * DAY_US
    late = visit("over", closed=True, first_seen=day_of(NOW) - 10 * DAY_US - MICROSECONDS, seconds=60)
    seconds = [observation("over", (late.first_seen - T0) // MICROSECONDS + n) for n in range(60)]
    Writer(used).write(results([visit("old", closed=True, first_seen=old), late], seconds), {})
    done = maintain(used, Retention(10, 10, 10), NOW)
    assert done.deleted["visits"] == done.deleted["visit_minutes"] == 2
    assert done.deleted["observations"] == 60
    assert unsound(used) == {}
    again = maintain(used, Retention(10, 10, 10), NOW)
    assert (set(again.deleted.values()), again.closed) == ({0}, 0)
    assert not any(again.made.values())
    purge(used, cutoffs_before(NOW + DAY_US))
    make_days(used, NOW)
    assert unsound(used) == {}
    assert rows(used, tables.visits) == []


def test_upkeep_closes_what_lost_its_worker_and_nothing_else(engine: sa.Engine) -> None:
    lost, held = (
        visit("lost", first_seen=NOW - ABANDONED_US - 2 * MICROSECONDS),
        visit("held", first_seen=NOW - ABANDONED_US),
    )
    Writer(engine).write(results([lost, held]), {})
    assert maintain(engine, Retention(), NOW).closed == 1
    assert {row["visit_id"]: row["closed"] for row in rows(engine, tables.visits)} == {
        "lost": True,
        "held": False,
    }
    assert unsound(engine) == {}


def test_upkeep_beside_a_writer_loses_nothing(database_url: str) -> None:
    ours, other = open_database(database_url), open_database(database_url)
    writer, lane = Writer(other), Partition("frames", 0)
    made: list[Callable[[], object]] = [
        lambda: maintain(ours, Retention(), NOW),
        lambda: make_days(ours, NOW + DAY_US),
    ]
    for number in range(6):
        writer.write(results([visit(f"v{number}", closed=True)]), {lane: number + 1})
        made[number % 2]()
    assert len(rows(ours, tables.visits)) == 6
    assert unsound(ours) == {}
    writer.write(Results(), {lane: 7})
    ours.dispose()
    other.dispose()
