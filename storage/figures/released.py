"""Figures as sums over groups of at least k visits (`storage.figures.release`)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from bus.messages import MINUTE_US
from storage.figures.cells import Cells, read_cells
from storage.figures.groups import (
    GROUP_COLUMNS,
    Figures,
    State,
    coverage_of,
    expression_counts,
    figures_of,
    gender_counts,
)
from storage.figures.release import SETTLING_US, Counts, Group, find_groups
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.local_time import date_of, day_start
from storage.sums import VISIT_COLUMNS

Array = NDArray[np.float64]
_OF_VISITS = [place for place, name in enumerate(GROUP_COLUMNS) if name in VISIT_COLUMNS]
_VISITS = GROUP_COLUMNS.index("visits")


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
        self._groups = find_released_groups(connection, cells.timeline, choice)
        edges = set(cells.timeline.edges)
        self._short = [each for each in self._groups if not {each.start, each.end} <= edges]
        self._sums = self._read_sums(connection)

    def between(self, start: int, end: int) -> Figures:
        """The figures from `start` to `end`, two edges of the period."""
        edges = np.asarray(self._timeline.edges)
        inside = np.flatnonzero((edges[:-1] >= start) & (edges[1:] <= end))
        groups = self._groups_between(start, end)
        rows = np.concatenate([self._without_visits[inside], self._sums[groups.start : groups.stop]])
        times = [*edges[inside].tolist(), *(self._groups[each].start for each in groups)]
        days = np.asarray([date_of(time, self._timeline.zone).toordinal() for time in times])
        by_day = sum_by_day(rows, days)
        if self._all[inside, _VISITS].any() and not groups:
            return Figures(State.SUPPRESSED, coverage_of(by_day))
        return figures_of(
            by_day,
            hidden=False,
            genders_hidden=self._has_few(gender_counts(by_day)[..., :-1]),
            expressions_hidden=self._has_few(expression_counts(by_day)),
        )

    def _has_few(self, counts: Array) -> bool:
        return bool(0 < counts.sum() < self._choice.suppress_below)

    def is_running(self, start: int, end: int) -> bool:
        """Whether a slot is not over, or is over and some of its groups still wait."""
        groups = self._groups_between(start, end)
        short = any(self._groups[each] in self._short for each in groups)
        return short or start <= self._timeline.now < end

    def count_hidden(self) -> int:
        """The slots with visits that are in no group, of days that are over: they never will be in one."""
        edges, zone = np.asarray(self._timeline.edges), self._timeline.zone
        hidden = self._all[:, _VISITS] > 0
        for group in self._groups:
            first = np.searchsorted(edges, group.start, side="right") - 1
            hidden[first : np.searchsorted(edges, group.end)] = False
        settled = day_start(date_of(self._timeline.now - SETTLING_US, zone), zone)
        return int(hidden[edges[1:] <= settled].sum())

    def _groups_between(self, start: int, end: int) -> range:
        """The numbers of the groups inside a period; groups are in order and do not overlap."""
        first = bisect_left(self._groups, start, key=lambda group: group.start)
        return range(first, max(bisect_right(self._groups, end, key=lambda group: group.end), first))

    def _read_sums(self, connection: sa.Connection) -> Array:
        """The sums of each group, of the shape (groups, columns)."""
        timeline = self._timeline
        sources = {False: (timeline.edges, self._all)}
        if self._short:
            finer = Unit.HOUR if timeline.unit is Unit.DAY else Unit.FIVE_MINUTES
            edges = _edges_of(self._short, timeline, finer)
            fine = read_cells(connection, Timeline(edges, finer, timeline.now, timeline.zone), GROUP_COLUMNS)
            sources[True] = (edges, fine.chosen(self._choice.cameras))
        sums = np.zeros((len(self._groups), len(GROUP_COLUMNS)))
        for number, group in enumerate(self._groups):
            starts, values = sources[group in self._short]
            first, last = np.searchsorted(starts, [group.start, group.end])
            sums[number, _OF_VISITS] = values[first:last, _OF_VISITS].sum(axis=0)
        return sums


def find_released_groups(connection: sa.Connection, timeline: Timeline, choice: Choice) -> list[Group]:
    """The groups of a choice of cameras in a period, in order.

    Raises DatabaseError where the database cannot be read.
    """
    return find_groups(_reader(connection, choice), timeline, choice)


def _edges_of(groups: Sequence[Group], timeline: Timeline, unit: Unit) -> tuple[int, ...]:
    """Edges of the slots of a unit from the first to the last of `groups`."""
    start, end = groups[0].start, groups[-1].end
    edges = {edge for edge in timeline.refined(Unit.HOUR).edges if start <= edge <= end} | {start, end}
    if unit is Unit.FIVE_MINUTES:
        edges |= set(range(start, end, 5 * MINUTE_US))
    return tuple(sorted(edges))


def _reader(connection: sa.Connection, choice: Choice) -> Callable[[Timeline], Counts]:
    # Only a choice of some cameras can reveal the visits of a single one.
    merged = choice.cameras is None

    def read(timeline: Timeline) -> Counts:
        cells = read_cells(connection, timeline, ("visits",), merged=merged)
        return Counts(cells.cameras, cells.column("visits"))

    return read


def sum_by_day(sums: Array, days: NDArray[np.int64]) -> Array:
    """The sums of each day that occurs, of the shape (days, columns)."""
    _, places = np.unique(days, return_inverse=True)
    result = np.zeros((int(places.max()) + 1, sums.shape[1]))
    np.add.at(result, places, sums)
    return result
