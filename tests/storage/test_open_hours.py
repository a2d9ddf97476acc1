from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from storage.errors import StorageError
from storage.local_time import HOUR_US, day_start
from storage.open_hours import open_intervals, parse_open_hours

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


def test_overlapping_hours_are_one() -> None:
    assert hours("09:00-12:00, 11:00-14:00", date(2026, 3, 30)) == [(9, 14)]


@pytest.mark.parametrize(
    "text", ["always", "Mo 9-17", "Mo 17:00-09:00", "Mo 09:00-25:00", "Xx 09:00-17:00", "Mo 09:75-10:00", ","]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(StorageError, match="open hours"):
        parse_open_hours(text)
