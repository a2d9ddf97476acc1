"""Which visits figures may contain: groups of at least k visits that do not change any more.

Sums over arbitrary periods, or over one period at two moments, differ by few visits, and the difference of
two sums reveals them. So every figure of one choice of cameras is a sum over the same groups: runs of
neighbouring slots with k visits or more. A group counts where it lies completely inside a slot or a period,
and nowhere else. The difference of two sums then consists of whole groups.

Groups are nested. A local day counts if it has k visits. Its hours form runs of k visits; so do the parts of
five minutes of an hour, and the minutes of such a part. What remains at the end of a day or an hour joins the
last run in it. As that is not known before the end, the last run of a day or hour that is not over waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bus.messages import MINUTE_US
from storage import suppression
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, date_of, dates, day_start, hour_edges, hour_start

SETTLING_US = 2 * MINUTE_US
"""The age of a slot's end from which on its visits are taken as complete."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Visits by slot and camera: `values` has the shape (slots, cameras)."""

    cameras: tuple[str, ...]
    values: NDArray[np.float64]


ReadCounts = Callable[[Timeline], Counts]
"""Reads the visits of a timeline."""


@dataclass(frozen=True, slots=True)
class Group:
    """Visits from `start` to `end`, microseconds UTC, that are always counted together."""

    start: int
    end: int


def find_groups(read: ReadCounts, timeline: Timeline, choice: Choice) -> list[Group]:
    """The groups of a choice of cameras in a period, in order; they do not overlap.

    A group that begins or ends outside of the period is not part of the result.
    """
    found = _Groups(read, timeline, choice).of_unit(timeline.unit)
    return [each for each in found if timeline.start <= each.start and each.end <= timeline.end]


def find_runs(counts: Sequence[int], k: int, closed: bool) -> list[range]:
    """Runs of neighbouring slots with at least k visits each, from the first slot on.

    If `closed`, the remaining visits join the last run, so the runs together have all visits, or there is no
    run. Otherwise the last run waits for them and is left out.
    """
    runs: list[range] = []
    begin, visits = 0, 0
    for slot, count in enumerate(counts):
        if not visits:
            begin = slot
        visits += count
        if visits >= k:
            runs.append(range(begin, slot + 1))
            visits = 0
    if not closed:
        return runs[:-1]
    if visits and runs:
        runs[-1] = range(runs[-1].start, len(counts))
    return runs


class _Groups:
    def __init__(self, read: ReadCounts, timeline: Timeline, choice: Choice) -> None:
        self._read = read
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
                if self._has_enough(counts, range(number, number + 1)):
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
                found += self._parts_of_hours([edge for edge in edges if edge >= first], frozenset())
        return found

    def _five_minutes(self) -> list[Group]:
        first = hour_start(self._timeline.start, self._timeline.zone)
        found: list[Group] = []
        for day in self._day_starts():
            hours = self._hours_of_day(day)
            complete = frozenset(each.start for each in hours if each.end - each.start <= HOUR_US)
            edges = [edge for edge in self._hour_edges(day) if edge >= first]
            found += self._parts_of_hours(edges, complete)
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
        return self._runs(edges, Unit.HOUR, closed=edges[-1] <= self._settled)

    def _parts_of_hours(self, edges: Sequence[int], complete: Collection[int]) -> list[Group]:
        """The groups of five minutes of the hours between `edges`; `complete` are starts of hours."""
        found: list[Group] = []
        for hour, following in pairwise(edges):
            if hour < self._end:
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
        slots = Counts(counts.cameras, counts.values[first : first + len(over) - 1])
        totals = slots.values[:, self._places(slots)].sum(axis=1).round().astype(int).tolist()
        runs = find_runs(totals, self._choice.suppress_below, closed)
        return [Group(over[run.start], over[run.stop]) for run in runs if self._is_separable(slots, run)]

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

    def _has_enough(self, counts: Counts, slots: range) -> bool:
        visits = counts.values[slots.start : slots.stop, self._places(counts)].sum()
        return bool(visits >= self._choice.suppress_below) and self._is_separable(counts, slots)

    def _is_separable(self, counts: Counts, slots: range) -> bool:
        """Whether the visits of the other cameras in these slots are many enough to be revealed."""
        if self._choice.cameras is None:
            return True
        sums = counts.values[slots.start : slots.stop].sum(axis=0).round().astype(int).tolist()
        by_camera = {camera: count for camera, count in zip(counts.cameras, sums, strict=True) if count}
        here = [camera for camera in by_camera if self._choice.has(camera)]
        return suppression.is_separable(by_camera, here, self._choice.suppress_below)

    def _places(self, counts: Counts) -> list[int]:
        return [place for place, camera in enumerate(counts.cameras) if self._choice.has(camera)]

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
