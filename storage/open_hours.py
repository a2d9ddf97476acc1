"""Opening hours of a camera as text: "Mo-Sa 09:00-20:00, Su 11:00-18:00".

Without a text a camera is always scheduled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US
from storage.errors import StorageError
from storage.local_time import day_start, to_local_time

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_PART = re.compile(r"(?:(\w\w)(?:-(\w\w))? )?(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES = 24 * 60

Week = tuple[tuple[tuple[int, int], ...], ...]
"""The open minutes of the day, from and to, of each day of the week, Monday first."""


@lru_cache(maxsize=256)
def parse_open_hours(text: str) -> Week:
    """The week that a text describes; parts are separated by commas, a day without a part is closed.

    Raises StorageError for any other text, and for hours that end before they start.
    """
    if not text.strip():
        return tuple(((0, _DAY_MINUTES),) for _ in DAYS)
    week: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if not match:
            raise _unreadable(text, part)
        first, last, *clock = match.groups()
        hours = [int(each) for each in clock]
        begin, end = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3]
        named = {first or DAYS[0], last or first or DAYS[-1]}
        if not begin < end <= _DAY_MINUTES or max(hours[1], hours[3]) > 59 or not named <= set(DAYS):
            raise _unreadable(text, part)
        for number in _days(DAYS.index(first or DAYS[0]), DAYS.index(last or first or DAYS[-1])):
            week[number].append((begin, end))
    return tuple(tuple(sorted(day)) for day in week)


def _days(first: int, last: int) -> Iterable[int]:
    """The numbers of the days from the first to the last, also over the end of a week."""
    return [(first + offset) % len(DAYS) for offset in range((last - first) % len(DAYS) + 1)]


def _unreadable(text: str, part: str) -> StorageError:
    return StorageError(
        f"open hours {text!r}: {part.strip()!r} is not like Mo-Sa 09:00-20:00; "
        "days are Mo Tu We Th Fr Sa Su, hours 00:00 to 24:00"
    )


def open_intervals(text: str, day: date, zone: ZoneInfo) -> list[tuple[int, int]]:
    """The open times of a local day in UTC microseconds, without overlaps."""
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    merged: list[tuple[int, int]] = []
    for begin, finish in parse_open_hours(text)[day.weekday()]:
        if finish - begin == _DAY_MINUTES:
            return [(start, end)]
        interval = _clock(day, begin, zone), _clock(day, finish, zone)
        if merged and interval[0] <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], interval[1])
        else:
            merged.append(interval)
    return merged


def _clock(day: date, minute: int, zone: ZoneInfo) -> int:
    """The time at which the clock of a local day shows a minute of the day."""
    if minute == _DAY_MINUTES:
        return day_start(day + timedelta(days=1), zone)
    from_midnight = day_start(day, zone) + minute * MINUTE_US
    # The clock may have changed since midnight.
    return from_midnight - (_offset(from_midnight, zone) - _offset(day_start(day, zone), zone))


def _offset(time_us: int, zone: ZoneInfo) -> int:
    return to_local_time(time_us, zone) - time_us
