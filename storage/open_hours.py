"""Opening hours of a camera as text: "Mo-Sa 09:00-20:00, Fr 22:00-02:00".

Times are those of the clock of the shop; hours that end before they start last until the next day. Without a
text a camera is always scheduled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US
from storage.errors import StorageError
from storage.local_time import date_of, dates, day_start, to_local_time

DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_PART = re.compile(r"(?:(\w\w)(?:-(\w\w))? )?(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY_MINUTES = 24 * 60

Week = tuple[tuple[tuple[int, int], ...], ...]
"""The open minutes of the day, from and to, of each day of the week, Monday first."""


@lru_cache(maxsize=256)
def parse_open_hours(text: str) -> Week:
    """The week that a text describes; parts are separated by commas, a day without a part is closed.

    Hours that end before they start are split at midnight: their end is on the next day.

    Raises StorageError for any other text, and for hours that end when they start.
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
        if begin == end or max(begin, end) > _DAY_MINUTES or max(hours[1], hours[3]) > 59:
            raise _unreadable(text, part)
        if not named <= set(DAYS):
            raise _unreadable(text, part)
        for number in _days(DAYS.index(first or DAYS[0]), DAYS.index(last or first or DAYS[-1])):
            week[number].append((begin, end if begin < end else _DAY_MINUTES))
            if begin > end > 0:
                week[(number + 1) % len(DAYS)].append((0, end))
    return tuple(tuple(sorted(day)) for day in week)


def format_open_hours(week: Week) -> str:
    """The text of a week, one part for each open time of days that are alike; empty where it is always open.

    A week that is never open has no text.
    """
    if all(day == ((0, _DAY_MINUTES),) for day in week):
        return ""
    parts = []
    for day, alike in groupby(zip(DAYS, week, strict=True), key=lambda pair: pair[1]):
        names = [name for name, _ in alike]
        of_days = names[0] if len(names) == 1 else f"{names[0]}-{names[-1]}"
        parts += [f"{of_days} {_time(begin)}-{_time(end)}" for begin, end in day]
    return ", ".join(parts)


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def is_open(text: str, time_us: int, zone: ZoneInfo) -> bool:
    """Whether a camera is scheduled at a time in UTC microseconds; raises StorageError for a wrong text."""
    if not text.strip():
        return True
    return any(begin <= time_us < end for begin, end in open_intervals(text, date_of(time_us, zone), zone))


def describe_closed(text: str, time_us: int, zone: ZoneInfo) -> str:
    """Why a camera is not scheduled at a time, with its next opening; empty where it is scheduled."""
    if is_open(text, time_us, zone):
        return ""
    opening = next_opening(text, time_us, zone)
    if opening is None:
        return "Outside of its opening hours"
    minute = (to_local_time(opening, zone) // MINUTE_US) % _DAY_MINUTES
    return f"Outside of its opening hours, until {DAYS[date_of(opening, zone).weekday()]} {_time(minute)}"


def next_opening(text: str, time_us: int, zone: ZoneInfo) -> int | None:
    """When a camera that is not scheduled is so next, in UTC microseconds, None within a week for none."""
    today = date_of(time_us, zone)
    for day in dates(today, today + timedelta(days=len(DAYS))):
        for begin, _ in open_intervals(text, day, zone):
            if begin > time_us:
                return begin
    return None


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
        if interval[0] == interval[1]:  # The clock passes over these hours.
            continue
        if merged and interval[0] <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], interval[1])
        else:
            merged.append(interval)
    return merged


def _clock(day: date, minute: int, zone: ZoneInfo) -> int:
    """The time from which on the clock of a local day shows a minute of the day or a later one."""
    if minute == _DAY_MINUTES:
        return day_start(day + timedelta(days=1), zone)
    from_midnight = day_start(day, zone) + minute * MINUTE_US
    # The clock may have changed since midnight.
    time_us = from_midnight - (_offset(from_midnight, zone) - _offset(day_start(day, zone), zone))
    wanted = to_local_time(day_start(day, zone), zone) + minute * MINUTE_US
    while to_local_time(time_us, zone) < wanted:  # The clock never shows it.
        time_us += MINUTE_US
    return time_us


def _offset(time_us: int, zone: ZoneInfo) -> int:
    return to_local_time(time_us, zone) - time_us
