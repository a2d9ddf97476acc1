"""The days with which an event is compared: before it, and without other events at the same cameras."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from storage.events import Event
from storage.figures.timeline import MOST_DAYS
from storage.local_time import date_of, dates

BASELINE_DAYS = 56
"""The days before an event among which its baseline is."""

_ENOUGH_DAYS = 14
"""The length from which on a later baseline is preferred to a longer one: each weekday twice."""

Days = tuple[date, date]
"""The first and the last day."""


def compared_days(event: Event, now: int, zone: ZoneInfo) -> Days:
    """The days of an event that has started, up to today; of a long one the first `MOST_DAYS`."""
    first = date_of(event.start, zone)
    last = min(date_of(event.end - 1, zone), date_of(now, zone))
    return first, min(last, first + timedelta(days=MOST_DAYS - 1))


def find_baseline(
    event: Event, events: Sequence[Event], cameras: frozenset[str] | None, zone: ZoneInfo
) -> Days | None:
    """The baseline of an event at `cameras` (None for all), None where other events leave no day.

    It is a run of days before the event on which none of the other `events` concerns the cameras: the last
    one of two weeks or more, else the longest.
    """
    first = date_of(event.start, zone)
    taken: set[date] = set()
    for other in events:
        if other.id != event.id and other.start < event.start and other.concerns(cameras):
            begin = max(date_of(other.start, zone), first - timedelta(days=BASELINE_DAYS))
            taken |= set(dates(begin, min(date_of(other.end - 1, zone), first)))
    runs: list[Days] = []
    for day in dates(first - timedelta(days=BASELINE_DAYS), first - timedelta(days=1)):
        if day in taken:
            continue
        if runs and runs[-1][1] == day - timedelta(days=1):
            runs[-1] = runs[-1][0], day
        else:
            runs.append((day, day))
    long = [run for run in runs if _length(run) >= _ENOUGH_DAYS]
    return long[-1] if long else max(reversed(runs), key=_length, default=None)


def overlapping_events(
    event: Event, events: Sequence[Event], cameras: frozenset[str] | None, days: Days, zone: ZoneInfo
) -> list[Event]:
    """The other events at these cameras on some of the `days` of an event."""
    return [
        other
        for other in events
        if other.id != event.id
        and other.concerns(cameras)
        and date_of(other.start, zone) <= days[1]
        and date_of(other.end - 1, zone) >= days[0]
    ]


def _length(days: Days) -> int:
    return (days[1] - days[0]).days + 1
