"""Figures as sums over groups of at least k visits (`storage.figures.release`)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from bus.messages import MINUTE_US, OFF
from storage.figures.cells import Cells, read_cells
from storage.figures.groups import (
    GROUP_COLUMNS,
    Figures,
    State,
    coverage_of,
    figures_of,
)
from storage.figures.release import SETTLING_US, Counts, Group, find_groups
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.local_time import date_of, day_start
from storage.sums import VISIT_COLUMNS
from storage.tables import ALL_GENDER_LABELS, ALL_LABELS

Array = NDArray[np.float64]
_OF_VISITS = [place for place, name in enumerate(GROUP_COLUMNS) if name in VISIT_COLUMNS]
_VISITS = GROUP_COLUMNS.index("visits")
_OFF = {
    "expression": tuple(f"n_{OFF}_{gender}" for gender in ALL_GENDER_LABELS),
    "gender": tuple(f"n_{expression}_{OFF}" for expression in ALL_LABELS),
}
"""The columns that count visits without an estimate, by its kind."""


class ReleasedFigures:
    """The figures of a choice of cameras in parts of one period.

    Args:
        connection: of one snapshot.
        cells: the sums of the period, with `GROUP_COLUMNS`; days where its slots are weeks.
        choice: cameras and k.
    """

    def __init__(self, connection: sa.Connection, cells: Cells, choice: Choice) -> None:
        self._choice = choice
        self._timeline = cells.timeline
        self._all = cells.chosen(choice.cameras)
        self._without_visits = self._all.copy()
        self._without_visits[:, _OF_VISITS] = 0
        reads = _Reads(connection, choice)
        self._visits = find_groups(reads.read_visits, cells.timeline, choice)
        self._expressions, self._genders = (
            find_groups(reads.reader(kind), cells.timeline, choice, estimated=True)
            if reads.has_off(kind)
            else self._visits
            for kind in _OFF
        )
        edges = set(cells.timeline.edges)
        everything = {*self._visits, *self._expressions, *self._genders}
        self._short = {each for each in everything if not {each.start, each.end} <= edges}
        self._sums = self._read_sums(connection, everything)

    def between(self, start: int, end: int) -> Figures:
        """The figures from `start` to `end`, two edges of the period."""
        edges = np.asarray(self._timeline.edges)
        inside = np.flatnonzero((edges[:-1] >= start) & (edges[1:] <= end))
        groups = _inside(self._visits, start, end)
        days = self._sum_groups(groups, self._without_visits[inside], edges[inside].tolist())
        if self._all[inside, _VISITS].any() and not groups:
            return Figures(State.SUPPRESSED, coverage_of(days))
        return figures_of(
            days,
            self._sum_estimates(self._expressions, start, end),
            self._sum_estimates(self._genders, start, end),
            fewest_labelled=self._choice.suppress_below,
        )

    def _sum_estimates(self, groups: Sequence[Group], start: int, end: int) -> Array | None:
        """The sums by day of the groups of an estimate, None where they are those of all visits."""
        if groups is self._visits:
            return None
        return self._sum_groups(_inside(groups, start, end), np.zeros((0, len(GROUP_COLUMNS))), [])

    def _sum_groups(self, groups: Sequence[Group], others: Array, times: Sequence[int]) -> Array:
        """The sums by day of groups and of `others`, rows that begin at `times`."""
        rows = np.concatenate([others, *(self._sums[each][np.newaxis] for each in groups)])
        if not len(rows):
            return np.zeros((1, len(GROUP_COLUMNS)))
        starts = (*times, *(each.start for each in groups))
        days = [date_of(time, self._timeline.zone).toordinal() for time in starts]
        return sum_by_day(rows, np.asarray(days))

    def is_running(self, start: int, end: int) -> bool:
        """Whether a slot is not over, or is over and some of its groups still wait."""
        short = any(each in self._short for each in _inside(self._visits, start, end))
        return short or start <= self._timeline.now < end

    def count_hidden(self, start: int, end: int) -> int:
        """The slots with visits that are in no group, of days that are over: they never will be in one.

        Those from `start` to `end`, two edges of the period.
        """
        edges, zone = np.asarray(self._timeline.edges), self._timeline.zone
        hidden = self._all[:, _VISITS] > 0
        for group in self._visits:
            first = np.searchsorted(edges, group.start, side="right") - 1
            hidden[first : np.searchsorted(edges, group.end)] = False
        settled = day_start(date_of(self._timeline.now - SETTLING_US, zone), zone)
        return int(hidden[(edges[:-1] >= start) & (edges[1:] <= min(end, settled))].sum())

    def _read_sums(self, connection: sa.Connection, groups: Collection[Group]) -> dict[Group, Array]:
        """The sums of each group."""
        timeline = self._timeline
        sources = {False: (timeline.edges, self._all)}
        if self._short:
            finer = _finer(timeline.unit)
            edges = _edges_of(self._short, timeline, finer)
            fine = read_cells(connection, Timeline(edges, finer, timeline.now, timeline.zone), GROUP_COLUMNS)
            sources[True] = (edges, fine.chosen(self._choice.cameras))
        sums = {}
        for group in groups:
            starts, values = sources[group in self._short]
            first, last = np.searchsorted(starts, [group.start, group.end])
            sums[group] = np.zeros(len(GROUP_COLUMNS))
            sums[group][_OF_VISITS] = values[first:last, _OF_VISITS].sum(axis=0)
        return sums


def find_released_groups(connection: sa.Connection, timeline: Timeline, choice: Choice) -> list[Group]:
    """The groups of a choice of cameras in a period, in order.

    Raises DatabaseError where the database cannot be read.
    """
    return find_groups(_Reads(connection, choice).read_visits, timeline, choice)


def _inside(groups: Sequence[Group], start: int, end: int) -> Sequence[Group]:
    """The groups inside a period, of groups that are in order and do not overlap."""
    first = bisect_left(groups, start, key=lambda group: group.start)
    return groups[first : max(bisect_right(groups, end, key=lambda group: group.end), first)]


def _finer(unit: Unit) -> Unit:
    """The unit of the slots of which groups within slots of `unit` consist."""
    if unit in {Unit.MINUTE, Unit.FIVE_MINUTES}:
        return unit
    return Unit.HOUR if unit is Unit.DAY else Unit.FIVE_MINUTES


def _edges_of(groups: Collection[Group], timeline: Timeline, unit: Unit) -> tuple[int, ...]:
    """Edges of the slots of a unit from the first to the last of `groups`."""
    start, end = min(each.start for each in groups), max(each.end for each in groups)
    edges = {edge for edge in timeline.refined(Unit.HOUR).edges if start <= edge <= end} | {start, end}
    if unit is not Unit.HOUR:
        edges |= set(range(start, end, (unit.minutes or 5) * MINUTE_US))
    return tuple(sorted(edges))


class _Reads:
    """Counts of visits for `find_groups`; each timeline is read once, whichever visits are counted."""

    def __init__(self, connection: sa.Connection, choice: Choice) -> None:
        self._connection = connection
        # Only a choice of some cameras can reveal the visits of a single one.
        self._merged = choice.cameras is None
        self._cells: dict[tuple[tuple[int, ...], bool], Cells] = {}

    def read_visits(self, timeline: Timeline) -> Counts:
        """The visits."""
        cells = self._read(timeline, self._merged)
        return Counts(cells.cameras, cells.column("visits"))

    def has_off(self, kind: str) -> bool:
        """Whether a visit that was read so far has no estimate of a kind."""
        return any(_count_off(cells, kind).any() for cells in self._cells.values())

    def reader(self, kind: str) -> Callable[[Timeline], Counts]:
        """A function that reads the visits with and without an estimate of a kind."""

        def read(timeline: Timeline) -> Counts:
            cells = self._read(timeline, merged=False)
            off = _count_off(cells, kind)
            return Counts(cells.cameras, cells.column("visits") - off, off)

        return read

    def _read(self, timeline: Timeline, merged: bool) -> Cells:
        key = timeline.edges, merged
        if key not in self._cells:
            columns = tuple(dict.fromkeys(("visits", *_OFF["expression"], *_OFF["gender"])))
            self._cells[key] = read_cells(self._connection, timeline, columns, merged=merged)
        return self._cells[key]


def _count_off(cells: Cells, kind: str) -> Array:
    """The visits without an estimate of a kind, of the shape (slots, cameras)."""
    counts: Array = sum((cells.column(name) for name in _OFF[kind]), np.zeros(cells.values.shape[:2]))
    return counts


def sum_by_day(sums: Array, days: NDArray[np.int64]) -> Array:
    """The sums of each day that occurs, of the shape (days, columns)."""
    _, places = np.unique(days, return_inverse=True)
    result = np.zeros((int(places.max()) + 1, sums.shape[1]))
    np.add.at(result, places, sums)
    return result
