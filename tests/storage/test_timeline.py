"""Periods and their slots in local time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from storage.figures.timeline import Timeline, Unit, day_timeline, rolling_timeline, shifted
from storage.local_time import HOUR_US, day_start, to_local_time

MINUTE = 60_000_000
BERLIN = ZoneInfo("Europe/Berlin")


def us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


NOW = us("2026-03-04T12:34:56+00:00")


def test_the_last_slot_contains_now() -> None:
    hour = rolling_timeline(60, Unit.FIVE_MINUTES, NOW, ZoneInfo("UTC"))
    assert hour.start == us("2026-03-04T11:35:00+00:00")
    assert hour.end == us("2026-03-04T12:35:00+00:00")
    assert hour.edges[-2] <= NOW < hour.end
    assert hour.slots == 12


def test_hours_start_at_round_local_times() -> None:
    kolkata = rolling_timeline(24 * 60, Unit.HOUR, NOW, ZoneInfo("Asia/Kolkata"))
    assert kolkata.edges[-2] == us("2026-03-04T18:00:00+05:30")
    assert kolkata.slots == 24


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_days_on_which_the_clock_changes_have_23_or_25_hours(day: date, hours: int) -> None:
    timeline = day_timeline(day, day, Unit.HOUR, NOW, BERLIN)
    assert timeline.slots == hours
    assert {end - start for start, end in pairwise(timeline.edges)} == {HOUR_US}
    whole = day_timeline(day, day, Unit.DAY, NOW, BERLIN)
    assert whole.end - whole.start == hours * HOUR_US


def test_weeks_start_on_mondays_and_are_cut_at_the_ends() -> None:
    weeks = day_timeline(date(2026, 3, 4), date(2026, 3, 18), Unit.WEEK, NOW, BERLIN)
    assert weeks.dates() == [date(2026, 3, 4), date(2026, 3, 9), date(2026, 3, 16)]
    assert weeks.end == day_start(date(2026, 3, 19), BERLIN)


def test_a_refined_timeline_has_the_same_ends() -> None:
    weeks = day_timeline(date(2026, 3, 4), date(2026, 3, 18), Unit.WEEK, NOW, BERLIN)
    days = weeks.refined(Unit.DAY)
    assert (days.start, days.end, days.slots) == (weeks.start, weeks.end, 15)
    assert set(weeks.edges) <= set(days.edges)


def test_the_shifted_period_ends_at_the_same_time_of_day() -> None:
    now = us("2026-04-01T12:34:56+02:00")
    week = day_timeline(date(2026, 3, 26), date(2026, 4, 1), Unit.DAY, now, BERLIN)
    before = shifted(week, 7)
    assert before.start == day_start(date(2026, 3, 19), BERLIN)
    assert before.end == us("2026-03-25T13:00:00+01:00")
    assert before.slots == 7


@pytest.mark.parametrize(
    ("first", "last", "unit", "problem"),
    [
        (date(2026, 3, 4), date(2026, 3, 3), Unit.DAY, "ends before it starts"),
        (date(2024, 3, 4), date(2026, 3, 3), Unit.DAY, "longer than 400 days"),
        (date(9999, 12, 1), date(9999, 12, 31), Unit.DAY, "expected days from 1970-01-02 to 9998-12-31"),
        (date(1, 1, 1), date(1, 1, 2), Unit.DAY, "expected days from 1970-01-02"),
        (date(2026, 1, 1), date(2026, 3, 3), Unit.MINUTE, "choose longer slots"),
    ],
)
def test_periods_without_an_answer_are_refused(first: date, last: date, unit: Unit, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        day_timeline(first, last, unit, NOW, BERLIN)


def test_edges_are_in_order() -> None:
    with pytest.raises(ValueError, match="ascending"):
        Timeline((5, 5), Unit.DAY, 9, BERLIN)


def test_local_time_follows_summer_time() -> None:
    winter, summer = us("2026-01-05T10:00:00+00:00"), us("2026-07-05T10:00:00+00:00")
    assert to_local_time(winter, BERLIN) - winter == HOUR_US
    assert to_local_time(summer, BERLIN) - summer == 2 * HOUR_US
