"""Timelines: a period, divided into slots of minutes, hours, days or weeks in local time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US
from storage.local_time import HOUR_US, date_of, dates, day_start, hour_edges, hour_start

MOST_DAYS = 400
"""The longest period, in days."""

MOST_SLOTS = 3000
"""The largest number of slots of one timeline."""


class Unit(StrEnum):
    """The length of a slot."""

    MINUTE = "minute"
    FIVE_MINUTES = "5 minutes"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"

    @property
    def minutes(self) -> int | None:
        """The length in minutes, None for days and weeks, whose length changes with the clock."""
        return {Unit.MINUTE: 1, Unit.FIVE_MINUTES: 5, Unit.HOUR: 60}.get(self)


class WrongPeriod(ValueError):
    """A period has no answer: it is empty, reversed, too long, or has too many slots."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Slots between neighbouring `edges`, ascending UTC microseconds, in the local time of `zone`.

    `now` is the time of the query: later time does not count as scheduled, and a slot that contains it is
    running.

    Raises WrongPeriod where there is no slot or edges are not in order.
    """

    edges: tuple[int, ...]
    unit: Unit
    now: int
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise WrongPeriod(f"timeline of {len(self.edges)} edges: expected at least two, ascending")

    @property
    def start(self) -> int:
        """The start of the first slot."""
        return self.edges[0]

    @property
    def end(self) -> int:
        """The end of the last slot."""
        return self.edges[-1]

    @property
    def slots(self) -> int:
        """The number of slots."""
        return len(self.edges) - 1

    def dates(self) -> list[date]:
        """The local date on which each slot starts."""
        return [date_of(edge, self.zone) for edge in self.edges[:-1]]

    def whole(self) -> Timeline:
        """The same period as one slot, whose sums may be those of days."""
        unit = self.unit if (self.unit.minutes or 60) < 60 else Unit.DAY
        return Timeline((self.start, self.end), unit, self.now, self.zone)

    def refined(self, unit: Unit) -> Timeline:
        """The same period in days or hours, at most one slot longer than its end."""
        last = date_of(self.end - 1, self.zone)
        days = dates(date_of(self.start, self.zone), last)
        if unit is Unit.DAY:
            inner = [day_start(day, self.zone) for day in days]
        else:
            inner = [edge for day in days for edge in hour_edges(day, self.zone)[:-1]]
        edges = {self.start, self.end, *(edge for edge in inner if self.start < edge < self.end)}
        return Timeline(tuple(sorted(edges)), unit, self.now, self.zone)


def day_timeline(first: date, last: date, unit: Unit, now: int, zone: ZoneInfo) -> Timeline:
    """The local days from `first` to `last`, both included; weeks start on Mondays, cut at the ends.

    Raises WrongPeriod where `last` is before `first`, or the period has too many days or slots.
    """
    if last < first:
        raise WrongPeriod(f"period from {first} to {last}: ends before it starts")
    if (last - first).days + 1 > MOST_DAYS:
        raise WrongPeriod(f"period from {first} to {last}: longer than {MOST_DAYS} days")
    return _checked(_day_edges(first, last, unit, zone), unit, now, zone)


def _day_edges(first: date, last: date, unit: Unit, zone: ZoneInfo) -> Sequence[int]:
    end = day_start(last + timedelta(days=1), zone)
    days = dates(first, last)
    if unit is Unit.WEEK:
        return [day_start(day, zone) for day in days if day == first or day.weekday() == 0] + [end]
    if unit is Unit.DAY:
        return [day_start(day, zone) for day in days] + [end]
    if unit is Unit.HOUR:
        return [edge for day in days for edge in hour_edges(day, zone)[:-1]] + [end]
    step = (unit.minutes or 1) * MINUTE_US
    return [*range(day_start(first, zone), end, step), end]


def rolling_timeline(minutes: int, unit: Unit, now: int, zone: ZoneInfo) -> Timeline:
    """The last `minutes` minutes, in slots of full minutes or hours; the last slot contains `now`."""
    step = (unit.minutes or 60) * MINUTE_US
    current = hour_start(now, zone)
    last = current + (now - current) // step * step
    count = max(minutes * MINUTE_US // step, 1)
    return _checked(range(last - (count - 1) * step, last + step + 1, step), unit, now, zone)


def _checked(edges: Sequence[int], unit: Unit, now: int, zone: ZoneInfo) -> Timeline:
    if len(edges) - 1 > MOST_SLOTS:
        raise WrongPeriod(f"period of {len(edges) - 1} slots: more than {MOST_SLOTS}; choose longer slots")
    return Timeline(tuple(edges), unit, now, zone)


def shifted(timeline: Timeline, days: int) -> Timeline:
    """The period `days` local days earlier, in days, or in one slot of the same unit where that is minutes.

    The running part of the timeline is cut off at the same time of day, at the end of the running minute, or
    of the running hour where the slots are hours, days or weeks.
    """
    now, zone = timeline.now, timeline.zone
    if (timeline.unit.minutes or 60) < 60:
        until = min(timeline.end, now - now % MINUTE_US + MINUTE_US)
        edges: tuple[int, ...] = (timeline.start,)
        unit = timeline.unit
    else:
        until = min(timeline.end, hour_start(now, zone) + HOUR_US)
        edges, unit = timeline.refined(Unit.DAY).edges, Unit.DAY
    inner = {earlier_time(edge, days, zone) for edge in (*edges, until) if edge <= until}
    return Timeline(tuple(sorted(inner)), unit, now, zone)


def earlier_time(time_us: int, days: int, zone: ZoneInfo) -> int:
    """The same local time some days earlier."""
    day = date_of(time_us, zone)
    return day_start(day - timedelta(days=days), zone) + time_us - day_start(day, zone)
