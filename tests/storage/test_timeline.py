"""Periods and their slots in local time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from storage.figures.timeline import (
    Timeline,
    Unit,
    day_timeline,
    earlier_edges,
    earlier_time,
    rolling_timeline,
    shifted,
)
from storage.local_time import HOUR_US, day_start, hour_edges, to_local_time

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


def test_a_refined_timeline_of_minutes_reads_minutes() -> None:
    """It begins within an hour, so it must not be read from hours that are rolled up."""
    hour = rolling_timeline(60, Unit.FIVE_MINUTES, NOW, BERLIN)
    for unit in (Unit.HOUR, Unit.DAY):
        assert hour.refined(unit).unit is Unit.FIVE_MINUTES
    assert hour.refined(Unit.HOUR).slots == 2
    day = rolling_timeline(24 * 60, Unit.HOUR, NOW, BERLIN)
    assert day.refined(Unit.DAY).unit is Unit.DAY


LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Where the clock changes by half an hour."""


def clock(time_us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_us / 1e6, zone).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ("2026-04-05T11:30+02:00", "2026-03-29T{}+02:00"),
        ("2026-03-29T11:30+02:00", "2026-03-22T{}+01:00"),
        ("2026-11-01T11:30+01:00", "2026-10-25T{}+01:00"),
        ("2026-10-25T11:30+01:00", "2026-10-18T{}+02:00"),
    ],
    ids=["a week after spring", "spring", "a week after autumn", "autumn"],
)
def test_the_shifted_period_ends_at_the_same_time_of_the_clock(now: str, before: str) -> None:
    day = date.fromisoformat(now[:10])
    midnight = day_start(day - timedelta(days=7), BERLIN)
    today = shifted(day_timeline(day, day, Unit.HOUR, us(now), BERLIN), 7)
    assert (today.start, clock(today.end, BERLIN)) == (midnight, before.format("12:00"))
    rolling = shifted(rolling_timeline(24 * 60, Unit.HOUR, us(now), BERLIN), 7)
    assert clock(rolling.end, BERLIN) == before.format("12:00")
    assert rolling.edges[1] == midnight
    hour = shifted(rolling_timeline(60, Unit.FIVE_MINUTES, us(now), BERLIN), 7)
    ends = clock(hour.start, BERLIN), clock(hour.end, BERLIN)
    assert ends == (before.format("10:35"), before.format("11:31"))


@pytest.mark.parametrize(
    ("now", "minutes", "hour"),
    [
        ("2026-04-12T11:45+10:30", "2026-04-05T11:46+10:30", "2026-04-05T11:30+10:30"),
        ("2026-04-05T11:45+10:30", "2026-03-29T11:46+11:00", "2026-03-29T12:00+11:00"),
        ("2026-10-11T11:45+11:00", "2026-10-04T11:46+11:00", "2026-10-04T11:30+11:00"),
        ("2026-10-04T11:45+11:00", "2026-09-27T11:46+10:30", "2026-09-27T12:00+10:30"),
    ],
    ids=["a week after autumn", "autumn", "a week after spring", "spring"],
)
def test_where_the_clock_changes_by_half_an_hour_slots_of_hours_end_at_hours_of_their_day(
    now: str, minutes: str, hour: str
) -> None:
    last_hour = shifted(rolling_timeline(60, Unit.FIVE_MINUTES, us(now), LORD_HOWE), 7)
    assert clock(last_hour.end, LORD_HOWE) == minutes
    day = date.fromisoformat(now[:10])
    today = shifted(day_timeline(day, day, Unit.HOUR, us(now), LORD_HOWE), 7)
    assert clock(today.end, LORD_HOWE) == hour
    assert today.end in hour_edges(day - timedelta(days=7), LORD_HOWE)


@pytest.mark.parametrize(
    ("time", "earlier", "zone"),
    [
        ("2026-04-05T02:30+02:00", "2026-03-29T03:00+02:00", BERLIN),
        ("2026-11-01T02:30+01:00", "2026-10-25T02:30+02:00", BERLIN),
        ("2026-10-25T02:30+01:00", "2026-10-18T02:30+02:00", BERLIN),
        ("2026-10-11T02:10+11:00", "2026-10-04T02:30+11:00", LORD_HOWE),
        ("2026-04-12T01:40+10:30", "2026-04-05T01:40+11:00", LORD_HOWE),
        ("2026-05-01T00:00+03:00", "2026-04-24T01:00+03:00", ZoneInfo("Africa/Cairo")),
        ("2026-04-24T01:00+03:00", "2026-04-17T00:00+02:00", ZoneInfo("Africa/Cairo")),
    ],
    ids=[
        *("skipped", "twice on the earlier day", "twice on the later day", "skipped, half an hour"),
        *("twice, half an hour", "the earlier day has no midnight", "the later day has no midnight"),
    ],
)
def test_a_time_of_the_clock_some_days_earlier(time: str, earlier: str, zone: ZoneInfo) -> None:
    assert clock(earlier_time(us(time), 7, zone), zone) == earlier


def test_a_time_that_occurs_twice_on_both_days_stays_the_first_or_the_second() -> None:
    # Of two years, whose clocks are changed on the same weekday.
    days = (date(2026, 10, 25) - date(2020, 10, 25)).days
    for offset in ("+02:00", "+01:00"):
        found = earlier_time(us(f"2026-10-25T02:30{offset}"), days, BERLIN)
        assert clock(found, BERLIN) == f"2020-10-25T02:30{offset}"


@pytest.mark.parametrize("day", [date(2026, 4, 5), date(2026, 3, 29), date(2026, 11, 1), date(2026, 10, 25)])
def test_earlier_edges_ascend_and_those_without_a_counterpart_are_left_out(day: date) -> None:
    edges = hour_edges(day, BERLIN)
    pairs = earlier_edges(edges, Unit.HOUR, 7, BERLIN)
    for side in zip(*pairs, strict=True):
        assert all(a < b for a, b in pairwise(side))
    assert pairs[0] == (edges[0], day_start(day - timedelta(days=7), BERLIN))
    assert pairs[-1] == (edges[-1], day_start(day - timedelta(days=6), BERLIN))
    # Of 23 or 25 hours on one of the days, one has no counterpart, or two have the same.
    assert len(pairs) == (24 if day.month < 6 else 25)


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-04-05T02:40+02:00", "2026-03-29T03:00+02:00"),
        ("2026-10-25T02:05+01:00", "2026-10-18T02:51+02:00"),
    ],
    ids=["skipped on the earlier day", "its end before its start"],
)
def test_a_period_that_the_earlier_clock_does_not_show_keeps_its_length(now: str, start: str) -> None:
    timeline = rolling_timeline(15, Unit.MINUTE, us(now), BERLIN)
    before = shifted(timeline, 7)
    assert clock(before.start, BERLIN) == start
    assert before.end - before.start == timeline.end - timeline.start


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
