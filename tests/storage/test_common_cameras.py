"""A comparison of two periods is one of cameras that were there in both of them."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MINUTE_US, CameraMinute, Visit
from common.access import LOCAL
from storage import tables
from storage.figures.comparison import Chosen, Comparison, Verdict, compare
from storage.figures.timeline import Unit, day_timeline, shifted
from storage.local_time import HOUR_US, day_start
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import results, visit

ZONE = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 9)
"""The first day of the second week."""
NOW = day_start(MONDAY + timedelta(days=7), ZONE)
WEEK = day_timeline(MONDAY, MONDAY + timedelta(days=6), Unit.DAY, NOW, ZONE)
OPEN_MINUTES = 20
"""The minutes of each day in which the cameras watch."""


def store(engine: sa.Engine, camera: str, days: range, visits_a_day: int) -> None:
    """Visits of a camera and its coverage; days are numbered from the first Monday of the two weeks."""
    visits: list[Visit] = []
    minutes: list[CameraMinute] = []
    for day in days:
        start = day_start(MONDAY + timedelta(days=day - 7), ZONE) + 10 * HOUR_US
        times = [start + minute * MINUTE_US for minute in range(OPEN_MINUTES)]
        minutes += [
            CameraMinute(camera, time, captured=9, analysed=9, watched_us=MINUTE_US) for time in times
        ]
        visits += [
            visit(f"{camera} {day} {number}", camera=camera, first_seen=start + number, closed=True)
            for number in range(visits_a_day)
        ]
    Writer(engine).write(results(visits, minutes=minutes), {})


def compare_weeks(engine: sa.Engine, cameras: frozenset[str] | None = None, k: int = 1) -> Comparison:
    return compare(engine, Chosen(WEEK, cameras), Chosen(shifted(WEEK, 7), cameras), k)


@pytest.mark.parametrize("first", [7, 12, 1], ids=["later", "in the last days", "a day later"])
def test_a_quiet_camera_that_is_added_does_not_reduce_the_visits_per_camera(
    engine: sa.Engine, first: int
) -> None:
    store(engine, "door", range(14), 24)
    store(engine, "attic", range(first, 14), 3)
    found = compare_weeks(engine)
    rate = found.measures[0]
    assert rate.measure.name == "Visits per camera and hour"
    assert rate.verdict is Verdict.UNCLEAR
    assert rate.difference
    assert rate.difference.value == 0
    assert found.left_out == ("attic",)
    assert found.comparable
    assert (found.a.visits, found.b.visits) == (7 * 24, 7 * 24)


def test_cameras_that_are_on_both_sides_stay(engine: sa.Engine) -> None:
    store(engine, "door", range(14), 24)
    store(engine, "office", range(5), 30)
    store(engine, "office", range(7, 12), 30)
    for cameras in (None, frozenset({"door", "office"})):
        found = compare_weeks(engine, cameras)
        assert found.left_out == (), "the office has its days from Monday to Friday on both sides"
        assert found.a.visits == 7 * 24 + 5 * 30


def test_a_camera_that_was_down_for_a_week_is_left_out(engine: sa.Engine) -> None:
    for camera in ("door", "till"):
        CameraRegistry(engine).add(LOCAL, CameraRow(camera, "demo://"))
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created_at=shifted(WEEK, 7).start))
    store(engine, "door", range(14), 24)
    store(engine, "till", range(7, 14), 3)
    assert compare_weeks(engine).left_out == ("till",)


def test_nothing_is_compared_where_no_camera_is_on_both_sides(engine: sa.Engine) -> None:
    store(engine, "door", range(7), 24)
    store(engine, "till", range(7, 14), 24)
    found = compare_weeks(engine)
    assert not found.comparable
    assert found.left_out == ("door", "till")
    assert {each.verdict for each in found.measures} == {Verdict.TOO_LITTLE}
    assert all(each.difference is None for each in found.measures)


def test_different_choices_of_cameras_are_compared_as_they_are(engine: sa.Engine) -> None:
    store(engine, "door", range(14), 24)
    store(engine, "attic", range(9, 14), 6)
    found = compare(engine, Chosen(WEEK, frozenset({"door"})), Chosen(WEEK, frozenset({"attic"})), 1)
    assert found.left_out == ()
    assert found.b.visits == 5 * 6


def test_leaving_a_camera_out_does_not_reveal_its_few_visits(engine: sa.Engine) -> None:
    store(engine, "door", range(14), 24)
    store(engine, "attic", range(13, 14), 3)
    found = compare_weeks(engine, k=10)
    assert found.left_out == ("attic",)
    assert found.a.visits is None
    assert all(each.difference is None for each in found.measures)
