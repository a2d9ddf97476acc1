"""Integrity check and maintenance: every kind of damage is found, maintenance repairs what it can."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, CameraMinute, Partition, Results, minute_of
from storage import tables
from storage.check import check_database
from storage.day_partitions import DAY_US, start_of_day
from storage.engine import open_database
from storage.maintenance import ABANDONED_US, create_day_partitions, maintain
from storage.retention import Retention, cutoffs_before, purge
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import T0, contents, estimate, observation, results, rows, visit

NOW = T0 + 3600 * MICROSECONDS


@pytest.fixture
def used(engine: sa.Engine) -> sa.Engine:
    """A database after an hour of use, with its day partitions."""
    create_day_partitions(engine, NOW)
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


def failed_checks(engine: sa.Engine, now: int = NOW) -> dict[str, str]:
    """The failed checks by subject, with their details."""
    return {each.subject: each.details for each in check_database(engine, now) if not each.passed}


def test_a_used_database_passes_and_is_not_changed(used: sa.Engine) -> None:
    before = contents(used)
    subjects = {each.subject for each in check_database(used, NOW)}
    assert {"version", "positions", "visits", "rollup", "observations", "drops"} < subjects
    assert failed_checks(used) == {}
    assert contents(used) == before


def test_an_empty_database_passes_once_it_has_day_partitions(engine: sa.Engine) -> None:
    create_day_partitions(engine, NOW)
    assert failed_checks(engine) == {}


@pytest.mark.parametrize(
    ("statement", "subject", "details"),
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
        ("DELETE FROM visits WHERE visit_id = 'v1'", "observations", "1 have no visit"),
        ("UPDATE offsets SET next_offset = -1", "positions", "1, of which 1 are negative"),
        ("UPDATE camera_drops SET frames = 0 WHERE reason = 'too large'", "drops", "1 minutes differ from"),
        ("DELETE FROM camera_minutes", "drops", "1 minutes differ from"),
    ],
)
def test_damage_is_found(used: sa.Engine, statement: str, subject: str, details: str) -> None:
    with used.begin() as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0
    assert details in failed_checks(used)[subject]


@pytest.mark.parametrize(
    ("statement", "subject", "details"),
    [
        ("update camera_hours set visits = visits + 1 where visits > 0", "rollup by hour", "hours differ"),
        ("delete from camera_hours where visits > 0", "rollup by hour", "hours differ"),
        ("update camera_days set mood = mood + 1", "rollup by day", "days differ"),
        ("delete from camera_days", "rollup by day", "days differ"),
    ],
)
def test_damaged_roll_ups_are_found(used: sa.Engine, statement: str, subject: str, details: str) -> None:
    later = T0 + 4 * DAY_US
    Writer(used).write(results([visit("late", first_seen=T0 + 3 * DAY_US, closed=True)]), {})
    create_day_partitions(used, later)
    roll_up(used, later, "Europe/Berlin")
    assert failed_checks(used, later) == {}
    with used.begin() as connection:
        connection.exec_driver_sql(statement)
    assert details in failed_checks(used, later)[subject]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Etc/UTC"])
def test_roll_ups_pass_after_retention_has_deleted_a_part_of_a_local_day(
    engine: sa.Engine, zone: str
) -> None:
    now = start_of_day(T0) + 6 * DAY_US
    hours = range(start_of_day(T0), now, 3600 * MICROSECONDS)
    seen = [visit(f"v{hour}", first_seen=hour + MICROSECONDS, closed=True) for hour in hours]
    counts = [CameraMinute("till", hour, captured=1, watched_us=MICROSECONDS) for hour in hours]
    Writer(engine).write(results(seen, minutes=counts), {})
    roll_up(engine, now, zone)
    purge(engine, Retention(visits=3, observations=3, coverage=3).cutoffs(now))
    create_day_partitions(engine, now)
    assert failed_checks(engine, now) == {}
    with engine.begin() as connection:
        newest = sa.select(sa.func.max(tables.camera_days.c.day)).scalar_subquery()
        change = sa.update(tables.camera_days).where(tables.camera_days.c.day == newest)
        connection.execute(change.values(visits=tables.camera_days.c.visits + 1))
    assert failed_checks(engine, now) == {"rollup by day": "1 days differ"}


def test_a_visit_with_two_start_times_is_found(used: sa.Engine) -> None:
    """The primary key allows it, since it contains the time; no worker writes such visits."""
    Writer(used).write(results([visit("twice", first_seen=T0), visit("twice", first_seen=T0 + 1)]), {})
    assert failed_checks(used) == {"visits": "1 ids occur more than once"}


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
    assert any(each.subject == "file" and not each.passed for each in check_database(damaged, NOW))
    damaged.dispose()


def test_missing_day_partitions_are_found_in_advance(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    fix = ": run `mien db maintain`"
    subjects = ("day partitions of visits", "day partitions of observations")
    assert failed_checks(engine) == dict.fromkeys(subjects, f"none for today{fix}")
    create_day_partitions(engine, NOW)
    assert failed_checks(engine, NOW + 4 * DAY_US) == {}
    assert failed_checks(engine, NOW + 5 * DAY_US) == dict.fromkeys(subjects, f"2 ahead{fix}")
    engine.dispose()


def test_rows_without_a_day_partition_are_found_and_moved(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    Writer(engine).write(results([visit("now"), visit("ahead", first_seen=T0 + 300 * DAY_US)]), {})
    future = {"visits of the future": "1 rows: the clock of a machine is wrong"}
    assert failed_checks(engine)["visits without a day partition"] == "1 rows: run `mien db maintain`"
    maintain(engine, Retention(), NOW)
    assert failed_checks(engine) == future
    engine.dispose()


def test_rows_of_the_future_are_found(engine: sa.Engine) -> None:
    create_day_partitions(engine, NOW)
    late = NOW + 2 * 3600 * MICROSECONDS
    batch = results(
        [visit("ahead", first_seen=late), visit("now", first_seen=NOW)],
        [observation("ahead", (late - T0) // MICROSECONDS)],
        [CameraMinute("till", minute_of(late), analysed=1), CameraMinute("till", T0, analysed=1)],
    )
    Writer(engine).write(batch, {})
    details = "1 rows: the clock of a machine is wrong"
    tables_ = ("visits", "observations", "camera_minutes")
    assert failed_checks(engine) == {f"{name} of the future": details for name in tables_}
    assert failed_checks(engine, late + MICROSECONDS) == {}


def test_a_database_passes_after_old_rows_were_deleted(used: sa.Engine) -> None:
    old = T0 - 20 * DAY_US
    late = visit("over", closed=True, first_seen=start_of_day(NOW) - 10 * DAY_US - MICROSECONDS, seconds=60)
    seconds = [observation("over", (late.first_seen - T0) // MICROSECONDS + n) for n in range(60)]
    Writer(used).write(results([visit("old", closed=True, first_seen=old), late], seconds), {})
    done = maintain(used, Retention(10, 10, 10), NOW)
    assert done.deleted["visits"] == done.deleted["visit_minutes"] == 2
    assert done.deleted["observations"] == 60
    assert failed_checks(used) == {}
    again = maintain(used, Retention(10, 10, 10), NOW)
    assert (set(again.deleted.values()), again.closed) == ({0}, 0)
    assert not any(again.created.values())
    purge(used, cutoffs_before(NOW + DAY_US))
    create_day_partitions(used, NOW)
    assert failed_checks(used) == {}
    assert rows(used, tables.visits) == []


def test_maintenance_closes_abandoned_visits_alone(engine: sa.Engine) -> None:
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
    assert failed_checks(engine) == {}


def test_maintenance_during_writes_loses_nothing(migrated_url: str) -> None:
    ours, other = open_database(migrated_url), open_database(migrated_url)
    writer, partition = Writer(other), Partition("frames", 0)
    actions: list[Callable[[], object]] = [
        lambda: maintain(ours, Retention(), NOW),
        lambda: create_day_partitions(ours, NOW + DAY_US),
    ]
    for number in range(6):
        writer.write(results([visit(f"v{number}", closed=True)]), {partition: number + 1})
        actions[number % 2]()
    assert len(rows(ours, tables.visits)) == 6
    assert failed_checks(ours) == {}
    writer.write(Results(), {partition: 7})
    ours.dispose()
    other.dispose()
