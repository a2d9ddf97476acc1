"""The newest result and the oldest rows of some cameras: exact, and found without a read of all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute, Observation
from storage import tables
from storage.day_partitions import DAY_US, start_of_day
from storage.engine import open_database
from storage.figures.quality import read_oldest
from storage.figures.simulated import has_simulated_data
from storage.local_time import HOUR_US
from storage.newest_result import read_newest_result
from storage.retention import cutoffs_before, purge
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import T0, estimate, results, rows, visit

ZONE = "Europe/Berlin"
NOW = start_of_day(T0) + 15 * HOUR_US


def store(engine: sa.Engine, camera: str, *ages: int) -> None:
    """Store a visit of 5 seconds with an observation, and 20 watched seconds, at each age before now."""
    starts = [NOW - age - (NOW - age) % MINUTE_US for age in ages]
    visits = [visit(f"{camera}{at}", camera=camera, first_seen=at, seconds=5, closed=True) for at in starts]
    seen = [Observation(f"{camera}{at}", camera, at, estimate()) for at in starts]
    minutes = [CameraMinute(camera, at, analysed=50, captured=50, watched_us=20_000_000) for at in starts]
    Writer(engine).write(results(visits, seen, minutes), {})


def newest(engine: sa.Engine, *cameras: str) -> int | None:
    """The age of the newest result in microseconds."""
    found = read_newest_result(engine, frozenset(cameras))
    return None if found is None else NOW - found


def oldest(engine: sa.Engine, camera: str) -> dict[str, int | None]:
    """The ages of the oldest rows."""
    found = read_oldest(engine, frozenset({camera}))
    return {kind: None if time is None else NOW - time for kind, time in found.items()}


AGES = {
    "running": 3 * MINUTE_US,
    "paused": 100 * MINUTE_US,
    "morning": 9 * HOUR_US,
    "yesterday": 30 * HOUR_US,
    "weeks": 20 * DAY_US + 7 * HOUR_US,
}


@pytest.mark.parametrize("rolled_up", [False, True])
def test_the_newest_result_of_cameras_that_ended_at_any_time(engine: sa.Engine, rolled_up: bool) -> None:
    for camera, age in AGES.items():
        store(engine, camera, age, age + HOUR_US, age + 40 * DAY_US)
    if rolled_up:
        roll_up(engine, NOW, ZONE)
    for camera, age in AGES.items():
        assert newest(engine, camera) == age - 20 * MICROSECONDS, camera
    assert newest(engine, "weeks", "yesterday") == AGES["yesterday"] - 20 * MICROSECONDS
    assert newest(engine, "new") is None
    assert newest(engine) is None
    assert read_newest_result(engine) == NOW - AGES["running"] + 20 * MICROSECONDS


def test_a_result_that_is_stored_late_is_found_before_it_is_rolled_up(engine: sa.Engine) -> None:
    store(engine, "till", MINUTE_US, 40 * DAY_US)
    store(engine, "shelf", 5 * DAY_US)
    roll_up(engine, NOW, ZONE)
    store(engine, "door", 20 * DAY_US)
    store(engine, "shelf", 30 * DAY_US)
    for _ in range(2):
        assert newest(engine, "door") == 20 * DAY_US - 20 * MICROSECONDS
        assert newest(engine, "shelf") == 5 * DAY_US - 20 * MICROSECONDS
        assert oldest(engine, "door")["visits"] == 20 * DAY_US
        assert oldest(engine, "shelf")["coverage"] == oldest(engine, "shelf")["visits"] == 30 * DAY_US
        roll_up(engine, NOW, ZONE)


def test_a_visit_is_a_result_after_its_minutes_were_deleted(engine: sa.Engine) -> None:
    store(engine, "till", MINUTE_US)
    store(engine, "door", 20 * DAY_US)
    roll_up(engine, NOW, ZONE)
    minutes = tables.camera_minutes
    with engine.begin() as connection:
        connection.execute(sa.delete(minutes).where(minutes.c.camera_id == "door"))
    assert newest(engine, "door") == 20 * DAY_US - 5 * MICROSECONDS


@pytest.mark.parametrize("rolled_up", [False, True])
def test_the_oldest_rows_of_cameras(engine: sa.Engine, rolled_up: bool) -> None:
    for camera, age in AGES.items():
        store(engine, camera, age, max(age - HOUR_US, MINUTE_US))
    store(engine, "first", 40 * DAY_US)
    if rolled_up:
        roll_up(engine, NOW, ZONE)
    for camera, age in (AGES | {"first": 40 * DAY_US}).items():
        assert oldest(engine, camera) == dict.fromkeys(("visits", "observations", "coverage"), age), camera
    assert set(oldest(engine, "new").values()) == {None}
    assert set(read_oldest(engine, frozenset()).values()) == {None}
    assert read_oldest(engine)["visits"] == NOW - 40 * DAY_US


def test_the_oldest_rows_of_a_local_day_whose_start_was_deleted(engine: sa.Engine) -> None:
    """The roll-up of the day is deleted with its start, hours before the rows of the rest of the day."""
    cutoff = start_of_day(NOW - 10 * DAY_US)
    store(engine, "till", 30 * DAY_US, 5 * DAY_US, MINUTE_US, NOW - cutoff - HOUR_US)
    store(engine, "door", NOW - cutoff - 9 * HOUR_US)
    roll_up(engine, NOW, ZONE)
    purge(engine, cutoffs_before(cutoff))
    assert {row["camera_id"] for row in rows(engine, tables.camera_days)} == {"till"}
    assert oldest(engine, "till")["visits"] == NOW - cutoff - HOUR_US
    assert set(oldest(engine, "door").values()) == {NOW - cutoff - 9 * HOUR_US}


def test_the_oldest_observation_may_be_of_a_visit_of_the_day_before(engine: sa.Engine) -> None:
    store(engine, "till", MINUTE_US, 40 * DAY_US)
    midnight = start_of_day(NOW - 20 * DAY_US) - HOUR_US  # In Berlin.
    long = visit("long", camera="door", first_seen=midnight - MINUTE_US, seconds=120, closed=True)
    late = Observation("long", "door", midnight + MINUTE_US, estimate())
    Writer(engine).write(results([long], [late]), {})
    roll_up(engine, NOW, ZONE)
    assert oldest(engine, "door")["observations"] == NOW - midnight - MINUTE_US


@pytest.fixture
def month(tmp_path: Path) -> Iterator[sa.Engine]:
    """A month of one busy camera, and one camera that ended two weeks ago."""
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    store(engine, "till", *range(MINUTE_US, 30 * DAY_US, 5 * MINUTE_US))
    store(engine, "ended", 14 * DAY_US)
    roll_up(engine, NOW, ZONE)
    yield engine
    engine.dispose()


def steps(engine: sa.Engine, call: Callable[[], object]) -> int:
    """The steps of SQLite's virtual machine in a call: several for each row that is read."""
    count = 0

    def add() -> None:
        nonlocal count
        count += 1

    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver
        driver.set_progress_handler(add, 1)
    call()
    driver.set_progress_handler(None, 0)
    return count


def test_cameras_without_recent_rows_need_no_read_of_all_rows(month: sa.Engine) -> None:
    most = 2 * len(rows(month, tables.visits))
    for camera in ("ended", "new"):
        cameras = frozenset({camera})
        assert steps(month, partial(read_newest_result, month, cameras)) < most
        assert steps(month, partial(read_oldest, month, cameras)) < most
    assert steps(month, partial(has_simulated_data, month)) < most
    for read in (read_newest_result, read_oldest):
        assert steps(month, partial(read, month, frozenset())) == 0
