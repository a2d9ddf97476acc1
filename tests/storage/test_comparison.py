"""Comparisons count what a measure describes: its visits, its days, and the hours that both sides have."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, OFF, CameraMinute, Visit
from common.access import LOCAL
from storage import tables
from storage.figures.comparison import Chosen, Compared, Comparison, Verdict, compare
from storage.figures.selection import Choice
from storage.figures.timeline import Unit, day_timeline, rolling_timeline, shifted
from storage.figures.weekdays import read_week
from storage.local_time import HOUR_US, day_start
from storage.registry import CameraRegistry, CameraRow
from storage.rollups import roll_up
from storage.writer import Writer
from tests.support.databases import estimate, results, visit

ZONE = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 9)
"""The first day of the second week; days are numbered from the first one of the week before."""
BEFORE, WEEK = range(7), range(7, 14)
NOW = day_start(MONDAY + timedelta(days=7), ZONE)
PERIOD = day_timeline(MONDAY, MONDAY + timedelta(days=6), Unit.DAY, NOW, ZONE)
SIDES = Chosen(PERIOD), Chosen(shifted(PERIOD, 7))
K = 10
NO_GENDER = dataclasses.replace(estimate(), female=None, gender=OFF)


def at(day: int, hour: float) -> int:
    return day_start(MONDAY + timedelta(days=day - 7), ZONE) + round(hour * HOUR_US)


def register(engine: sa.Engine, open_hours: str, *cameras: str) -> None:
    """Cameras that are scheduled on all days."""
    for camera in cameras:
        CameraRegistry(engine).add(LOCAL, CameraRow(camera, "demo://"))
    created = {"created_at": at(-7, 0), "open_hours": open_hours}
    with engine.begin() as connection:
        connection.execute(sa.update(tables.cameras).values(created))


def watch(days: Iterable[int], hours: Iterable[int], camera: str = "door") -> list[CameraMinute]:
    return [
        CameraMinute(camera, at(day, hour) + n * MINUTE_US, captured=9, analysed=9, watched_us=MINUTE_US)
        for day in days
        for hour in hours
        for n in range(60)
    ]


def several(n: int, day: int, hour: float, **details: object) -> list[Visit]:
    """Visits of a day from an hour on."""
    camera = details.get("camera", "door")
    template = visit("", closed=True, **details)  # type: ignore[arg-type]
    return [
        dataclasses.replace(
            template,
            visit_id=f"{camera} {day} {hour} {number}",
            first_seen=at(day, hour) + number * MICROSECONDS,
            last_seen=at(day, hour) + number * MICROSECONDS + template.last_seen - template.first_seen,
        )
        for number in range(n)
    ]


def store(engine: sa.Engine, visits: Iterable[Visit], minutes: Iterable[CameraMinute]) -> None:
    Writer(engine).write(results(visits, minutes=minutes), {})


def measure(found: Comparison, key: str) -> Compared:
    return next(each for each in found.measures if each.measure.key == key)


def store_event(engine: sa.Engine, mornings: dict[int, int], evening: int = 50) -> None:
    """Before, visitors come at 9 o'clock alone; later at 20 o'clock, and on some `mornings`."""
    register(engine, "09:00-22:00", "door")
    visits = [each for day in BEFORE for each in several(60, day, 9, seconds=5)]
    visits += [each for day in WEEK for each in several(evening, day, 20, seconds=5)]
    for day, number in mornings.items():
        visits += several(number, day, 9, seconds=37, looks=estimate("anger", "female", 0.83))
    store(engine, visits, watch(range(14), (9, 20)))


def test_a_matched_comparison_does_not_publish_the_only_visit_with_a_counterpart(engine: sa.Engine) -> None:
    store_event(engine, {12: 1})
    found = compare(engine, *SIDES, K, matched=True)
    assert [each.difference for each in found.measures] == [None] * len(found.measures)
    assert found.a.visits is None
    dwell = measure(compare(engine, *SIDES, 1, matched=True), "dwell")
    assert dwell.difference
    assert dwell.difference.a == pytest.approx(37)
    assert dwell.n_a == 1, "without suppression it is the dwell of one visitor"


def test_a_measure_is_hidden_if_few_visits_with_its_estimate_have_a_counterpart(engine: sa.Engine) -> None:
    store_event(engine, {})
    mornings = [each for day in WEEK for each in several(20, day, 9, looks=NO_GENDER)]
    store(engine, [*mornings, *several(1, 12, 9.5)], [])
    found = compare(engine, *SIDES, K, matched=True)
    assert measure(found, "dwell").n_a == 141
    assert measure(found, "female").difference is None
    female = measure(compare(engine, *SIDES, 1, matched=True), "female")
    assert (female.n_a, female.n_b) == (1, 60), "the hour of one weekday"


def test_a_measure_is_hidden_if_its_value_is_nearly_that_of_a_few_visits_of_the_baseline(
    engine: sa.Engine,
) -> None:
    register(engine, "09:00-22:00", "door")
    visits = [*several(1, 0, 9, seconds=37), *several(200, 0, 20, seconds=5)]
    visits += [*several(400, 7, 9, seconds=5), *several(4, 7, 20, seconds=5)]
    store(engine, visits, watch((0, 7), (9, 20)))
    assert measure(compare(engine, *SIDES, K, matched=True), "dwell").difference is None
    alone = measure(compare(engine, *SIDES, 1, matched=True), "dwell").difference
    assert alone
    assert alone.b == pytest.approx((400 * 37 + 4 * 5) / 404), "without suppression it is the one visitor's"


def test_visits_without_a_counterpart_are_told(engine: sa.Engine) -> None:
    store_event(engine, dict.fromkeys(WEEK, 10))
    found = compare(engine, *SIDES, K, matched=True)
    assert (found.a.visits, found.a.unmatched) == (420, 350)
    assert (found.b.visits, found.b.unmatched) == (420, 0)
    dwell, rate = measure(found, "dwell"), measure(found, "visits")
    assert (dwell.n_a, dwell.n_b) == (70, 420)
    assert (rate.n_a, rate.n_b) == (420, 420), "hours without visits were watched, too"
    assert compare(engine, *SIDES, K).a.unmatched == 0, "only weekdays and hours that are matched"


def test_the_number_of_few_visits_without_a_counterpart_is_hidden(engine: sa.Engine) -> None:
    store_event(engine, dict.fromkeys(WEEK, 20), evening=0)
    store(engine, several(2, 12, 20.5), [])
    found = compare(engine, *SIDES, K, matched=True)
    assert (found.a.visits, found.a.unmatched) == (142, None)
    dwell = measure(found, "dwell")
    assert dwell.difference
    assert (dwell.n_a, dwell.n_b) == (None, 420), "142 less 140 are the few"
    assert measure(compare(engine, *SIDES, 1, matched=True), "dwell").n_a == 140


def test_days_without_data_are_no_days_of_a_verdict(engine: sa.Engine) -> None:
    register(engine, "09:00-17:00", "door")
    days = (*BEFORE, 7, 8)
    visits = []
    for day in days:
        # Of 50 visits half or, in the second week, more are happy; days are nearly alike.
        happy = 25 + day % 2 + (7 if day in WEEK else 0)
        visits += several(happy, day, 9, looks=estimate("happiness"))
        visits += several(50 - happy, day, 10, looks=estimate("neutral"))
    store(engine, visits, watch(days, range(9, 17)))
    found = compare(engine, *SIDES, K)
    assert (found.a.days, found.b.days) == (2, 7)
    assert {each.verdict for each in found.measures} == {Verdict.TOO_LITTLE}


def test_days_are_those_of_the_measure(engine: sa.Engine) -> None:
    register(engine, "09:00-17:00", "door")
    visits = []
    for day in range(14):
        visits += several(40, day, 9, looks=NO_GENDER)
        if day % 7 < 3:
            many, few = ("female", "male") if day in WEEK else ("male", "female")
            visits += several(17 + day % 7, day, 10, looks=estimate(gender=many))
            visits += several(3, day, 11, looks=estimate(gender=few))
    store(engine, visits, watch(range(14), range(9, 17)))
    found = compare(engine, *SIDES, K)
    assert measure(found, "female").verdict is Verdict.TOO_LITTLE, "it is known on three days"
    assert measure(found, "mood").verdict is Verdict.UNCLEAR


def test_visits_are_those_of_the_measure(engine: sa.Engine) -> None:
    register(engine, "09:00-17:00", "door", "hall")
    visits: list[Visit] = []
    for day in range(14):
        visits += several(40, day, 9, camera="hall", looks=NO_GENDER)
        women = 1 if day % 7 == 3 else 2 if day in WEEK else 0
        for number, gender in ((women, "female"), (2 - women, "male")):
            visits += several(number, day, 10 if gender == "male" else 11, looks=estimate(gender=gender))
    minutes = [each for camera in ("door", "hall") for each in watch(range(14), range(9, 17), camera)]
    store(engine, visits, minutes)
    female = measure(compare(engine, *SIDES, K), "female")
    assert (female.n_a, female.n_b) == (14, 14)
    assert female.verdict is Verdict.TOO_LITTLE
    assert female.difference
    assert female.difference.high == 1, "shares differ by at most 100 points"


def test_n_is_hidden_where_it_reveals_the_few_visits_without_an_estimate(engine: sa.Engine) -> None:
    register(engine, "09:00-17:00", "door")
    visits = [each for day in range(14) for each in several(20, day, 9)]
    visits += several(3, 10, 10, looks=NO_GENDER)
    store(engine, visits, watch(range(14), range(9, 17)))
    found = compare(engine, *SIDES, K)
    assert (measure(found, "female").n_a, measure(found, "female").n_b) == (None, 140)
    assert measure(found, "dwell").n_a == 143


@pytest.mark.parametrize(("hours", "alike"), [(range(11, 16), False), (range(9, 19), True)])
def test_visits_have_no_verdict_where_other_hours_were_watched(
    engine: sa.Engine, hours: range, alike: bool
) -> None:
    register(engine, "09:00-19:00", "door")
    visits = []
    for day in range(14):
        for hour in range(9, 19) if day in BEFORE else hours:
            visits += several((30 if 11 <= hour < 16 else 8) + day % 2 * 2, day, hour)
    store(engine, visits, [*watch(BEFORE, range(9, 19)), *watch(WEEK, hours)])
    found = compare(engine, *SIDES, K)
    assert found.alike is alike
    assert measure(found, "visits").verdict is (Verdict.UNCLEAR if alike else Verdict.TOO_LITTLE)
    assert measure(found, "mood").verdict is Verdict.UNCLEAR
    assert compare(engine, *SIDES, K, matched=True).alike, "hours that are not watched have no counterpart"


@pytest.mark.parametrize(("minutes", "unit"), [(15, Unit.MINUTE), (60, Unit.FIVE_MINUTES)])
def test_periods_of_minutes_are_compared_to_the_minute(engine: sa.Engine, minutes: int, unit: Unit) -> None:
    now = at(9, 12) + 23 * MINUTE_US
    register(engine, "09:00-17:00", "door")
    times = [
        *range(at(2, 9), at(2, 17), MINUTE_US),
        *range(at(9, 9), now, MINUTE_US),
    ]
    visits = [
        each
        for time in times
        # More visits in the first half of each hour.
        for n in range(2 if time % HOUR_US < HOUR_US // 2 else 1)
        for each in [visit(f"{time} {n}", camera="door", first_seen=time + n, closed=True)]
    ]
    store(engine, visits, [CameraMinute("door", time, 9, 9, watched_us=MINUTE_US) for time in times])
    roll_up(engine, now, ZONE.key)
    timeline = rolling_timeline(minutes, unit, now, ZONE)
    earlier = shifted(timeline, 7)
    expected = [
        sum(each.start <= one.first_seen < each.end for one in visits) for each in (timeline, earlier)
    ]
    for cameras in (None, frozenset({"door"})):
        for matched in (False, True):
            found = compare(engine, Chosen(timeline, cameras), Chosen(earlier, cameras), 1, matched=matched)
            assert [found.a.visits, found.b.visits] == expected
    for each, number in zip((timeline, earlier), expected, strict=True):
        week = [hour for hour in read_week(engine, each, Choice(1)) if hour.watched_hours]
        assert sum(hour.visits or 0 for hour in week) == number
        assert sum(hour.watched_hours for hour in week) == pytest.approx(
            (each.end - each.start) / HOUR_US, abs=0.04
        )
