"""The change of the number of visits against an earlier period, over equally long times of both.

The visits of a running period wait until their group has enough of them (`storage.figures.release`), and the
groups of the earlier period are different ones. So both periods are divided into the shortest pieces that
consist of whole groups on both sides, and a piece counts if all visits in it are in groups, on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from storage.figures.cells import read_cells, snapshot
from storage.figures.release import SETTLING_US
from storage.figures.released import find_released_groups
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit, earlier_edges
from storage.local_time import date_of, hour_edges, hour_start

LEAST_PART = 0.5
"""The part of a period that has to count on both sides."""

MOST_DIFFERENCE = 0.1
"""The largest difference of the watched times, or coverages, of both sides, as a part of the larger one."""

_COLUMNS = ("visits", "watched_us")


@dataclass(frozen=True, slots=True)
class Change:
    """The visits of a period and of an earlier one, in the times whose visits are known on both sides.

    `alike` tells whether the cameras watched about equally long in both.
    """

    visits: int
    before: int
    alike: bool


def read_change(engine: sa.Engine, timeline: Timeline, days: int, choice: Choice) -> Change | None:
    """The change against the period `days` local days before; None where too little of both is known.

    Raises DatabaseError where the database cannot be read.
    """
    settled = settled_part(timeline)
    periods = settled and _with_earlier(settled, days)
    if not periods:
        return None
    with snapshot(engine) as connection:
        sides = [_Side.read(connection, each, choice) for each in periods]
    counted = _counted(sides)
    lengths = np.diff(periods[0].edges)
    if lengths[counted].sum() < LEAST_PART * lengths.sum():
        return None
    visits, before = (round(float(side.visits[counted].sum())) for side in sides)
    watched = (float(side.watched_us[counted].sum()) for side in sides)
    return Change(visits, before, are_alike(*watched))


def are_alike(a: float, b: float) -> bool:
    """Whether two watched times, or two coverages, differ by at most a tenth of the larger one."""
    return abs(a - b) <= MOST_DIFFERENCE * max(a, b)


def settled_part(timeline: Timeline) -> Timeline | None:
    """The part of a timeline whose rows are complete: in days, and in hours where it does not have full days.

    Slots of minutes stay.
    """
    zone, settled = timeline.zone, timeline.now - SETTLING_US
    if not timeline.unit.has_hours:
        edges = {edge for edge in timeline.edges if edge <= settled}
        return replace(timeline, edges=tuple(sorted(edges))) if len(edges) > 1 else None
    until = min(timeline.end, hour_start(settled, zone))
    if until <= timeline.start:
        return None
    edges = {timeline.start, until}
    for edge in replace(timeline, edges=(timeline.start, until)).refined(Unit.DAY).edges[:-1]:
        hours = hour_edges(date_of(edge, zone), zone)
        if edge == hours[0] and hours[-1] <= until:
            edges.add(edge)
        else:
            edges |= {hour for hour in hours if timeline.start <= hour <= until}
    return Timeline(tuple(sorted(edges)), Unit.DAY, timeline.now, zone)


def _with_earlier(timeline: Timeline, days: int) -> tuple[Timeline, Timeline] | None:
    """A timeline and the one some days earlier, with as many slots; None where the clock leaves no slot.

    Where the clock is changed, slots that have no counterpart on the other side join the one before.
    """
    pairs = earlier_edges(timeline.edges, timeline.unit, days, timeline.zone)
    if len(pairs) < 2:
        return None
    edges, earlier = zip(*pairs, strict=True)
    return replace(timeline, edges=edges), replace(timeline, edges=earlier)


@dataclass(frozen=True, slots=True)
class _Side:
    """One period by slot: `joined` tells whether a group continues into the next slot."""

    visits: NDArray[np.float64]
    watched_us: NDArray[np.float64]
    known: NDArray[np.bool_]
    joined: NDArray[np.bool_]

    @classmethod
    def read(cls, connection: sa.Connection, timeline: Timeline, choice: Choice) -> _Side:
        cells = read_cells(connection, timeline, _COLUMNS, only=choice.cameras, merged=True)
        visits, watched = cells.chosen(choice.cameras).T
        known, joined = visits == 0, np.zeros(timeline.slots, bool)
        if choice.suppress_below <= 1:
            return cls(visits, watched, np.ones(timeline.slots, bool), joined)
        for group in find_released_groups(connection, timeline, choice):
            first, last = np.searchsorted(timeline.edges, [group.start, group.end])
            known[first:last] = True
            joined[first : last - 1] = True
        return cls(visits, watched, known, joined)


def _counted(sides: list[_Side]) -> NDArray[np.bool_]:
    """The slots that count: those in pieces of whole groups whose visits are all known on both sides."""
    known = sides[0].known & sides[1].known
    ends = ~(sides[0].joined | sides[1].joined)
    piece = np.cumsum(np.concatenate([[False], ends[:-1]]))
    complete = np.ones(int(piece.max()) + 1, bool)
    complete[piece[~known]] = False
    counted: NDArray[np.bool_] = complete[piece]
    return counted
