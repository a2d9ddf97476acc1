"""Timelines: a period, divided into slots of minutes, hours, days or weeks in local time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US
from storage.local_time import HOUR_US, date_of, dates, day_start, hour_edges, hour_start, to_local_time

MOST_DAYS = 400
"""The longest period, in days."""

MOST_SLOTS = 3000
"""The largest number of slots of one timeline."""

_FIRST_DAY, _LAST_DAY = date(1970, 1, 2), date(9998, 12, 31)
"""Beyond them a local day has no beginning, or no end, in microseconds of UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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

    @property
    def has_hours(self) -> bool:
        """Whether slots consist of full hours; others consist of minutes."""
        return self not in {Unit.MINUTE, Unit.FIVE_MINUTES}


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
        """The same period as one slot, whose sums may be those of days unless its slots are minutes."""
        return Timeline((self.start, self.end), self._at_finest(Unit.DAY), self.now, self.zone)

    def refined(self, unit: Unit) -> Timeline:
        """The same period in days or hours, which it cuts at both ends.

        A timeline of minutes keeps its unit: it may begin within an hour, whose roll-up has more than it.
        """
        last = date_of(self.end - 1, self.zone)
        days = dates(date_of(self.start, self.zone), last)
        if unit is Unit.DAY:
            inner = [day_start(day, self.zone) for day in days]
        else:
            inner = [edge for day in days for edge in hour_edges(day, self.zone)[:-1]]
        edges = {self.start, self.end, *(edge for edge in inner if self.start < edge < self.end)}
        return Timeline(tuple(sorted(edges)), self._at_finest(unit), self.now, self.zone)

    def _at_finest(self, unit: Unit) -> Unit:
        """The unit, but that of the timeline where it is minutes."""
        return unit if self.unit.has_hours else self.unit


def day_timeline(first: date, last: date, unit: Unit, now: int, zone: ZoneInfo) -> Timeline:
    """The local days from `first` to `last`, both included; weeks start on Mondays, cut at the ends.

    Raises WrongPeriod where `last` is before `first`, or the period has too many days or slots.
    """
    if last < first:
        raise WrongPeriod(f"period from {first} to {last}: ends before it starts")
    if first < _FIRST_DAY or last > _LAST_DAY:
        raise WrongPeriod(f"period from {first} to {last}: expected days from {_FIRST_DAY} to {_LAST_DAY}")
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
    if timeline.unit.has_hours:
        until = min(timeline.end, hour_start(now, zone) + HOUR_US)
        edges, unit = timeline.refined(Unit.DAY).edges, Unit.DAY
    else:
        until = min(timeline.end, now - now % MINUTE_US + MINUTE_US)
        edges, unit = (timeline.start,), timeline.unit
    begun = sorted({edge for edge in (*edges, until) if edge <= until})
    earlier = [pair[1] for pair in earlier_edges(begun, unit, days, zone)]
    if len(earlier) == 1:
        # The clock skips the whole period on the earlier day, or shows its end before its start.
        earlier.append(earlier[0] + until - timeline.start)
    return Timeline(tuple(earlier), unit, now, zone)


def earlier_edges(edges: Sequence[int], unit: Unit, days: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Ascending edges of slots, each with its time some local days earlier; both ascend.

    An edge is left out where the clock is changed on one of the days, so that its earlier time is not after
    that of the edge before.
    """
    pairs: list[tuple[int, int]] = []
    for edge in edges:
        earlier = earlier_time(edge, days, zone)
        if unit.has_hours:
            # Hours are counted from midnight: after a change by half an hour they start at half past.
            earlier = hour_start(earlier, zone)
        if not pairs or earlier > pairs[-1][1]:
            pairs.append((edge, earlier))
    return pairs


def earlier_time(time_us: int, days: int, zone: ZoneInfo) -> int:
    """The same time of the clock some days earlier; the start of a day becomes the start of the earlier day.

    A time that the clock skips on the earlier day becomes the next one that exists. Of a time that occurs
    twice there, the first one is taken, or the second one if `time_us` is the second one of its day.
    """
    day = date_of(time_us, zone)
    if time_us == day_start(day, zone):
        return day_start(day - timedelta(days=days), zone)
    local = (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)
    wanted = local.replace(tzinfo=None) - timedelta(days=days)
    first, second = (_to_us(wanted.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first <= second:
        return second if local.fold else first
    # Skipped: `second` is before the change of the clock and `first` after it.
    times = range(second, first + 1)
    return times[bisect_left(times, _offset(first, zone), key=lambda time: _offset(time, zone))]


def _to_us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _offset(time_us: int, zone: ZoneInfo) -> int:
    """The local time less UTC, in microseconds."""
    return to_local_time(time_us, zone) - time_us
