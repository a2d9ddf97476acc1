"""Which visits figures may contain: groups of at least k visits that do not change any more.

Sums over arbitrary periods, or over one period at two moments, differ by few visits, and the difference of
two sums reveals them. So every figure of one choice of cameras is a sum over the same groups: runs of
neighbouring slots with k visits or more. A group counts where it lies completely inside a slot or a period,
and nowhere else. The difference of two sums then consists of whole groups.

Groups are nested. A local day counts if it has k visits. Its hours form runs of k visits; so do the parts of
five minutes of an hour, and the minutes of such a part. What remains at the end of a day or an hour joins the
last run in it. As that is not known before the end, the last run of a day or hour that is not over waits.

Figures of an estimate, as the mood, are sums over groups of their own: of the visits that have the estimate,
with at least k of them. The visits without it, since a switch was off, are the rest of the number of visits,
so each such group has none of them or k at least, and they are protected as those of cameras of their own.
Where a switch changes between two visits of a day, the groups end before that hour, and the day has none: the
rest would be what was counted around the change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest

import numpy as np
from numpy.typing import NDArray

from bus.messages import MINUTE_US
from storage import suppression
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, date_of, dates, day_start, hour_edges, hour_start

_OFF = " off"
"""What is added to the id of a camera, which has no spaces, for its visits without an estimate."""

SETTLING_US = 2 * MINUTE_US
"""The age of a slot's end from which on its visits are taken as complete."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Visits by slot and camera: `values` has the shape (slots, cameras).

    Where those with an estimate are counted, `off` are the visits without it, of the same shape.
    """

    cameras: tuple[str, ...]
    values: NDArray[np.float64]
    off: NDArray[np.float64] | None = None

    def between(self, first: int, end: int) -> Counts:
        """The counts of the slots from `first` to before `end`."""
        part = slice(first, end)
        return replace(self, values=self.values[part], off=None if self.off is None else self.off[part])

    def totals(self, choice: Choice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The visits of the chosen cameras by slot, and those without the estimate."""
        chosen = [place for place, camera in enumerate(self.cameras) if choice.has(camera)]
        visits = self.values[:, chosen].sum(axis=1).round().astype(np.int64)
        if self.off is None:
            return visits, np.zeros_like(visits)
        return visits, self.off[:, chosen].sum(axis=1).round().astype(np.int64)

    def by_camera(self) -> dict[str, int]:
        """The visits of each camera that has any, and those without the estimate as of another one."""
        named = dict(zip(self.cameras, self.values.sum(axis=0), strict=True))
        if self.off is not None:
            names = (f"{camera}{_OFF}" for camera in self.cameras)
            named |= dict(zip(names, self.off.sum(axis=0), strict=True))
        return {name: round(float(count)) for name, count in named.items() if count}

    def switched(self, choice: Choice) -> int | None:
        """The first slot by which a chosen camera has visits with and without the estimate, if any."""
        if self.off is None:
            return None
        chosen = [place for place, camera in enumerate(self.cameras) if choice.has(camera)]
        seen = [np.cumsum(each[:, chosen], axis=0) > 0 for each in (self.values, self.off)]
        slots = np.flatnonzero((seen[0] & seen[1]).any(axis=1))
        return int(slots[0]) if len(slots) else None


ReadCounts = Callable[[Timeline], Counts]
"""Reads the visits of a timeline."""


@dataclass(frozen=True, slots=True)
class Group:
    """Visits from `start` to `end`, microseconds UTC, that are always counted together."""

    start: int
    end: int


def find_groups(
    read: ReadCounts, timeline: Timeline, choice: Choice, *, estimated: bool = False
) -> list[Group]:
    """The groups of a choice of cameras in a period, in order; they do not overlap.

    A group that begins or ends outside of the period is not part of the result. If `estimated`, they are the
    groups of the visits with an estimate, and `read` counts the others as `off`.
    """
    found = _Groups(read, timeline, choice, estimated).of_unit(timeline.unit)
    return [each for each in found if timeline.start <= each.start and each.end <= timeline.end]


def find_runs(counts: Sequence[int], k: int, closed: bool, off: Sequence[int] = ()) -> list[range]:
    """Runs of neighbouring slots with at least k visits each, from the first slot on.

    `off` are visits of these slots that are not counted; from the first of them on, runs have k of them as
    well, so that what remains can join the last one.

    If `closed`, the remaining visits join the last run, so the runs together have all visits, or there is no
    run. Otherwise the last run waits for them and is left out.
    """
    runs: list[range] = []
    begin, visits, others, any_off = 0, 0, 0, False
    for slot, (count, other) in enumerate(zip_longest(counts, off, fillvalue=0)):
        if not visits + others:
            begin = slot
        visits += count
        others += other
        any_off |= other > 0
        if visits >= k and (others >= k or not any_off):
            runs.append(range(begin, slot + 1))
            visits = others = 0
    if not closed:
        return runs[:-1]
    if visits + others and runs:
        runs[-1] = range(runs[-1].start, len(counts))
    return runs


class _Groups:
    def __init__(self, read: ReadCounts, timeline: Timeline, choice: Choice, estimated: bool) -> None:
        self._read = read
        self._estimated = estimated
        self._timeline = timeline
        self._choice = choice
        self._settled = timeline.now - SETTLING_US
        self._end = min(timeline.end, timeline.now + HOUR_US)
        self._known: dict[tuple[Unit, int], tuple[NDArray[np.int64], Counts]] = {}

    def of_unit(self, unit: Unit) -> list[Group]:
        if unit in {Unit.DAY, Unit.WEEK}:
            return self._days()
        if unit is Unit.HOUR:
            return self._hours()
        return self._five_minutes() if unit is Unit.FIVE_MINUTES else self._minutes()

    def _days(self) -> list[Group]:
        """The days that are over, and today, or where the period cuts a day, the groups of its hours."""
        days = self._timeline.refined(Unit.DAY)
        counts = self._read(days)
        found: list[Group] = []
        for number, (start, end) in enumerate(pairwise(days.edges)):
            if end <= self._settled and self._is_day(start, end):
                if self._is_group(counts.between(number, number + 1)):
                    found.append(Group(start, end))
            elif start <= self._timeline.now:
                found += self._hours_of_day(self._day_of(start))
        return found

    def _hours(self) -> list[Group]:
        """The groups of hours, and those of five minutes in the hours that are not in one yet."""
        found: list[Group] = []
        for day in self._day_starts():
            groups = self._hours_of_day(day)
            found += groups
            edges = self._hour_edges(day)
            if edges[-1] > self._settled:
                rest = groups[-1].end if groups else day
                first = max(rest, hour_start(self._timeline.start, self._timeline.zone))
                found += self._parts_of_hours(day, [edge for edge in edges if edge >= first], frozenset())
        return found

    def _five_minutes(self) -> list[Group]:
        first = hour_start(self._timeline.start, self._timeline.zone)
        found: list[Group] = []
        for day in self._day_starts():
            hours = self._hours_of_day(day)
            complete = frozenset(each.start for each in hours if each.end - each.start <= HOUR_US)
            edges = [edge for edge in self._hour_edges(day) if edge >= first]
            found += self._parts_of_hours(day, edges, complete)
        return found

    def _minutes(self) -> list[Group]:
        """The groups of five minutes, and instead of single parts of five minutes those of their minutes."""
        found: list[Group] = []
        for group in self._five_minutes():
            if group.end - group.start > 5 * MINUTE_US:
                found.append(group)
            else:
                edges = range(group.start, group.end + 1, MINUTE_US)
                found += self._runs(edges, Unit.MINUTE, closed=True)
        return found

    def _hours_of_day(self, day: int) -> list[Group]:
        edges = self._hour_edges(day)
        end = min(self._switched_at(day), edges[-1])
        closed = end == edges[-1] <= self._settled
        return self._runs([edge for edge in edges if edge <= end], Unit.HOUR, closed)

    def _switched_at(self, day: int) -> int:
        """The start of the hour of a day in which a switch was changed between visits, else the day's end."""
        end = self._hour_edges(day)[-1]
        if not self._estimated:
            return end
        starts, counts = self._counts(Unit.HOUR, day)
        first, last = np.searchsorted(starts, [day, end]).tolist()
        slot = counts.between(first, last).switched(self._choice)
        return end if slot is None else int(starts[first + slot])

    def _parts_of_hours(self, day: int, edges: Sequence[int], complete: Collection[int]) -> list[Group]:
        """The groups of five minutes of the hours of a day between `edges`; `complete` are starts."""
        found: list[Group] = []
        until = min(self._switched_at(day), self._end)
        for hour, following in pairwise(edges):
            if hour < until:
                parts = _part_edges(hour, following)
                found += self._runs(parts, Unit.FIVE_MINUTES, closed=hour in complete)
        return found

    def _runs(self, edges: Sequence[int], unit: Unit, closed: bool) -> list[Group]:
        """The groups of the slots between `edges` that are over."""
        over = [edge for edge in edges if edge <= self._settled]
        if len(over) < 2:
            return []
        starts, counts = self._counts(unit, over[0])
        first = int(np.searchsorted(starts, over[0]))
        slots = counts.between(first, first + len(over) - 1)
        visits, off = (each.tolist() for each in slots.totals(self._choice))
        runs = find_runs(visits, self._choice.suppress_below, closed, off)
        found = [run for run in runs if self._is_separable(slots.between(run.start, run.stop))]
        return [Group(over[run.start], over[run.stop]) for run in found]

    def _counts(self, unit: Unit, at: int) -> tuple[NDArray[np.int64], Counts]:
        """The starts of slots of a unit around a time, and their visits; each read once."""
        by_day = self._timeline.unit in {Unit.DAY, Unit.WEEK}
        key = unit, self._day_of(at) if by_day else 0
        if key not in self._known:
            edges = self._edges(unit, [self._day_of(at)] if by_day else list(self._day_starts()))
            read = self._read(Timeline(tuple(edges), unit, self._timeline.now, self._timeline.zone))
            self._known[key] = np.asarray(edges[:-1], np.int64), read
        return self._known[key]

    def _edges(self, unit: Unit, days: Sequence[int]) -> list[int]:
        timeline = self._timeline
        hours = [edge for day in days for edge in self._hour_edges(day)[:-1]]
        hours.append(self._hour_edges(days[-1])[-1])
        if unit is Unit.HOUR:
            return hours
        first = hour_start(timeline.start, timeline.zone)
        if timeline.unit is Unit.HOUR:
            first = max(first, self._day_of(self._settled))  # Hours before that are over.
        hours = [edge for edge in hours if edge >= first]
        if unit is Unit.MINUTE:
            return list(range(hours[0], hours[-1] + 1, MINUTE_US))
        return [part for pair in pairwise(hours) for part in _part_edges(*pair)[:-1]] + hours[-1:]

    def _is_group(self, day: Counts) -> bool:
        """Whether a day that is over counts."""
        visits = int(day.totals(self._choice)[0].sum())
        enough = visits >= self._choice.suppress_below and day.switched(self._choice) is None
        return enough and self._is_separable(day)

    def _is_separable(self, slots: Counts) -> bool:
        """Whether the other visits in these slots are many enough to be revealed."""
        if self._choice.cameras is None and slots.off is None:
            return True
        k = self._choice.suppress_below
        if 0 < slots.totals(self._choice)[1].sum() < k:
            return False
        by_camera = slots.by_camera()
        here = [camera for camera in slots.cameras if camera in by_camera and self._choice.has(camera)]
        return suppression.is_separable(by_camera, here, k)

    def _day_starts(self) -> Iterator[int]:
        """The starts of the days of the period up to now."""
        zone = self._timeline.zone
        first, last = date_of(self._timeline.start, zone), date_of(self._end - 1, zone)
        return (day_start(day, zone) for day in dates(first, max(first, last)))

    def _day_of(self, time_us: int) -> int:
        return day_start(date_of(time_us, self._timeline.zone), self._timeline.zone)

    def _is_day(self, start: int, end: int) -> bool:
        edges = self._hour_edges(self._day_of(start))
        return (start, end) == (edges[0], edges[-1])

    def _hour_edges(self, day: int) -> list[int]:
        return hour_edges(date_of(day, self._timeline.zone), self._timeline.zone)


def _part_edges(start: int, end: int) -> list[int]:
    return [*range(start, end, 5 * MINUTE_US), end]
