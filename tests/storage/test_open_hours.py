from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from storage.errors import StorageError
from storage.local_time import HOUR_US, day_start
from storage.open_hours import (
    describe_closed,
    format_open_hours,
    is_open,
    next_opening,
    open_intervals,
    parse_open_hours,
)

BERLIN = ZoneInfo("Europe/Berlin")


def hours(text: str, day: date) -> list[tuple[float, float]]:
    start = day_start(day, BERLIN)
    return [
        ((begin - start) / HOUR_US, (end - start) / HOUR_US)
        for begin, end in open_intervals(text, day, BERLIN)
    ]


def test_a_camera_without_open_hours_is_always_scheduled() -> None:
    assert hours("", date(2026, 3, 30)) == [(0, 24)]
    assert hours("", date(2026, 3, 29)) == [(0, 23)], "the clock changes"


def test_open_hours_are_those_of_the_weekday() -> None:
    text = "Mo-Fr 08:00-12:30, Mo-Fr 14:00-18:00, Sa 09:00-13:00"
    assert hours(text, date(2026, 3, 30)) == [(8, 12.5), (14, 18)]
    assert hours(text, date(2026, 3, 28)) == [(9, 13)]
    assert hours(text, date(2026, 3, 29)) == []
    assert hours("Sa-Mo 10:00-11:00", date(2026, 4, 5)) == [(10, 11)]
    assert hours("10:00-24:00", date(2026, 3, 30)) == [(10, 24)]


def test_open_hours_are_times_of_the_clock() -> None:
    assert hours("09:00-20:00", date(2026, 3, 29)) == [(8, 19)], "an hour is missing"
    assert hours("09:00-20:00", date(2026, 10, 25)) == [(10, 21)], "an hour is repeated"


def test_hours_over_midnight_belong_to_both_days() -> None:
    text = "Fr 22:00-02:00, Su 20:00-24:00"
    assert hours(text, date(2026, 4, 3)) == [(22, 24)]
    assert hours(text, date(2026, 4, 4)) == [(0, 2)]
    assert hours(text, date(2026, 4, 5)) == [(20, 24)]
    assert hours(text, date(2026, 4, 6)) == []
    assert hours("Su 23:00-00:30", date(2026, 4, 6)) == [(0, 0.5)], "from the end of a week to its start"


def test_hours_that_the_clock_passes_over_do_not_exist() -> None:
    assert hours("02:00-03:00", date(2026, 3, 29)) == []
    assert hours("02:30-04:00", date(2026, 3, 29)) == [(2, 3)]
    assert hours("01:00-02:30", date(2026, 3, 29)) == [(1, 2)]
    assert hours("02:00-03:00", date(2026, 10, 25)) == [(2, 4)], "the clock shows this hour twice"


def test_a_time_is_open_from_the_start_to_before_the_end() -> None:
    start = day_start(date(2026, 3, 30), BERLIN)
    text = "Mo 09:00-10:00, Mo 23:00-01:00"
    for hour, expected in ((8.99, False), (9, True), (9.99, True), (10, False), (23, True), (24.5, True)):
        assert is_open(text, start + round(hour * HOUR_US), BERLIN) is expected, hour
    assert not is_open(text, start + 25 * HOUR_US, BERLIN)
    assert is_open("", start, BERLIN)


def test_the_next_opening_is_within_a_week() -> None:
    start = day_start(date(2026, 3, 30), BERLIN)
    assert next_opening("Mo 09:00-10:00", start + 12 * HOUR_US, BERLIN) == start + (7 * 24 + 9) * HOUR_US
    assert next_opening("Mo 09:00-10:00", start, BERLIN) == start + 9 * HOUR_US
    assert next_opening("Tu 00:00-01:00", start + 12 * HOUR_US, BERLIN) == start + 24 * HOUR_US


def test_a_closed_camera_says_when_it_opens() -> None:
    noon = day_start(date(2026, 3, 28), BERLIN) + 12 * HOUR_US
    closed = "Outside of its opening hours"
    assert describe_closed("Mo-Fr 09:00-20:00", noon, BERLIN) == f"{closed}, until Mo 09:00"
    assert describe_closed("Su 09:00-20:00", noon, BERLIN) == f"{closed}, until Su 09:00"
    assert describe_closed("Sa 09:00-20:00", noon, BERLIN) == ""


def test_a_week_is_written_so_that_it_can_be_read() -> None:
    week = parse_open_hours("Mo-We 09:00-20:00, We 22:00-02:00")
    assert format_open_hours(week) == ("Mo-Tu 09:00-20:00, We 09:00-20:00, We 22:00-24:00, Th 00:00-02:00")
    assert parse_open_hours(format_open_hours(week)) == week
    assert format_open_hours(parse_open_hours("")) == ""


def test_overlapping_hours_are_one() -> None:
    assert hours("09:00-12:00, 11:00-14:00", date(2026, 3, 30)) == [(9, 14)]


@pytest.mark.parametrize(
    "text",
    [
        "always",
        "Mo 9-17",
        "Mo 09:00-09:00",
        "Mo 24:00-24:00",
        "Mo 09:00-25:00",
        "Xx 09:00-17:00",
        "Mo 09:75-10:00",
        ",",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(StorageError, match="open hours"):
        parse_open_hours(text)
