"""A pause never counts as missing coverage, whenever scheduled time is summed up."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraMinute
from common.access import LOCAL
from storage import tables
from storage.day_partitions import DAY_US, start_of_day
from storage.figures.selection import Choice
from storage.figures.timeline import Unit, rolling_timeline
from storage.figures.trend import read_trend
from storage.local_time import HOUR_US, day_start
from storage.pauses import begin_pause, end_pause, read_pauses
from storage.registry import CameraRegistry, CameraRow
from storage.retention import Retention, cutoffs_before, purge
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import T0, results, rows, visit

BERLIN = "Europe/Berlin"
MONDAY = day_start(date(2023, 6, 5), ZoneInfo(BERLIN))
PAUSED, RESUMED = MONDAY + DAY_US + 9 * HOUR_US, MONDAY + 4 * DAY_US + 15 * HOUR_US


@pytest.fixture
def registry(engine: sa.Engine) -> CameraRegistry:
    """A registry with the camera `till`, which was added on a Monday."""
    registry = CameraRegistry(engine)
    registry.add(LOCAL, CameraRow("till", "demo://till"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=MONDAY))
    return registry


def pauses(engine: sa.Engine) -> list[tuple[object, bool]]:
    """The camera of each pause, and whether the pause lasts."""
    return [(row["camera_id"], row["end_at"] is None) for row in rows(engine, tables.camera_pauses)]


def note(engine: sa.Engine, start: int, end: int | None, camera: str = "till") -> None:
    with engine.begin() as connection:
        begin_pause(connection, camera, start)
        if end is not None:
            end_pause(connection, camera, end)


def watch(engine: sa.Engine, start: int, end: int) -> None:
    """Store coverage of each minute of a period."""
    minutes = [
        CameraMinute("till", at, captured=1, watched_us=MINUTE_US) for at in range(start, end, MINUTE_US)
    ]
    Writer(engine).write(results(minutes=minutes), {})


def scheduled_hours(engine: sa.Engine) -> list[float]:
    """The scheduled hours of each day that is rolled up."""
    return [int(str(row["scheduled_us"])) / HOUR_US for row in rows(engine, tables.camera_days)]


def test_every_change_of_a_pause_is_noted(registry: CameraRegistry, engine: sa.Engine) -> None:
    registry.pause(LOCAL, "till", "stocktaking")
    registry.pause(LOCAL, "till", "repainting")
    registry.edit(LOCAL, "till", {"name": "Till"})
    assert pauses(engine) == [("till", True)], "another reason is no other pause"
    registry.resume(LOCAL, "till")
    assert pauses(engine) == [("till", False)]
    registry.pause(LOCAL, "till", "stocktaking")
    assert pauses(engine) == [("till", False), ("till", True)]
    registry.remove(LOCAL, "till")
    assert pauses(engine) == [("till", False), ("till", False)], "a removed camera is not paused"
    registry.sync(LOCAL, [CameraRow("till", "demo://till"), CameraRow("door", "demo://door", enabled=False)])
    assert pauses(engine) == [("door", True), ("till", False), ("till", False)]


def test_a_pause_stays_a_pause_after_it_has_ended(registry: CameraRegistry, engine: sa.Engine) -> None:
    watch(engine, MONDAY, MONDAY + MINUTE_US)
    note(engine, PAUSED, RESUMED)
    now = MONDAY + 7 * DAY_US + 3 * HOUR_US
    roll_up(engine, now, BERLIN)
    assert scheduled_hours(engine) == [24, 9, 9, 24, 24]
    Writer(engine).write(results([visit("late", first_seen=PAUSED + DAY_US, closed=True)]), {})
    roll_up(engine, now, BERLIN)
    assert scheduled_hours(engine) == [24, 9, 0, 9, 24, 24], "the day of the visit has a row now"
    roll_up(engine, now, "Europe/Helsinki")
    assert scheduled_hours(engine) == [23, 10, 0, 8, 24, 24]


def test_coverage_is_complete_right_after_a_pause(registry: CameraRegistry, engine: sa.Engine) -> None:
    note(engine, PAUSED, RESUMED)
    watch(engine, RESUMED, RESUMED + 10 * MINUTE_US)
    timeline = rolling_timeline(60, Unit.FIVE_MINUTES, RESUMED + 10 * MINUTE_US, ZoneInfo(BERLIN))
    assert read_trend(engine, timeline, Choice(1)).whole.coverage == pytest.approx(1, abs=0.01)


def test_several_pauses_of_an_hour_and_the_open_hours_count_once(
    registry: CameraRegistry, engine: sa.Engine
) -> None:
    registry.set_schedule(LOCAL, "till", "10:00-12:00")
    watch(engine, MONDAY, MONDAY + MINUTE_US)
    ten = MONDAY + 10 * HOUR_US
    for start, end in ((-30, 5), (10, 20), (30, 40), (115, 600)):
        note(engine, ten + start * MINUTE_US, ten + end * MINUTE_US)
    note(engine, ten, ten + 60 * MINUTE_US, camera="door")
    roll_up(engine, MONDAY + DAY_US + 3 * HOUR_US, BERLIN)
    assert scheduled_hours(engine) == pytest.approx([(120 - 5 - 10 - 10 - 5 + 1) / 60])


def test_pauses_that_a_clock_made_overlap_count_once(engine: sa.Engine) -> None:
    for start, end in ((T0 + 10, T0 + 50), (T0 + 40, T0 + 30), (T0 + 45, T0 + 70), (T0 + 90, None)):
        note(engine, start, end)
    with engine.connect() as connection:
        found = read_pauses(connection, T0 + 20, T0 + 100)
        assert found["till"] == [(T0 + 20, T0 + 50), (T0 + 50, T0 + 70), (T0 + 90, T0 + 100)]
        assert read_pauses(connection, T0, T0 + 10) == {}


def test_pauses_are_kept_as_long_as_visits_or_coverage(engine: sa.Engine) -> None:
    now = start_of_day(T0) + 100 * DAY_US
    for days in (60, 40, 20):
        end = now - days * DAY_US
        note(engine, end - 30 * DAY_US, end - MICROSECONDS, camera=f"{days} days")
    note(engine, now - 99 * DAY_US, None, camera="still")

    def kept() -> set[object]:
        return {row["camera_id"] for row in rows(engine, tables.camera_pauses)}

    assert purge(engine, Retention(visits=30, coverage=50).cutoffs(now))["camera_pauses"] == 1
    assert kept() == {"40 days", "20 days", "still"}
    assert purge(engine, Retention(visits=30, coverage=30).cutoffs(now))["camera_pauses"] == 1
    assert purge(engine, cutoffs_before(now))["camera_pauses"] == 1
    assert kept() == {"still"}, "a pause that lasts has no end"
