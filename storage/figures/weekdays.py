"""Visits by weekday and hour: how many in an hour that a camera watched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from storage import tables
from storage.figures.cells import Cells, read_cells, snapshot
from storage.figures.groups import State, state_without_visits
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, to_local_time
from storage.rollups import read_hours_until
from storage.sums import read_visit_sums

_COLUMNS = ("visits", "watched_us", "scheduled_us")
HOURS = 168
_MONDAY = 72
"""Hours from the start of a week to that of 1970, which was a Thursday."""


class _Part(NamedTuple):
    """What one camera adds to one hour of the week: `values` as `_COLUMNS`."""

    hour: int
    camera: str
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeekHour:
    """One hour of the week, 0 is Monday from midnight.

    `rate` is visits per watched hour of a camera, None if hidden.
    """

    hour: int
    state: State
    rate: float | None
    visits: int | None
    watched_hours: float
    coverage: float | None


def read_week(engine: sa.Engine, timeline: Timeline, choice: Choice) -> list[WeekHour]:
    """The 168 hours of the week over a period, in the local time of its zone.

    Raises DatabaseError where the database cannot be read.
    """
    timeline = timeline.refined(Unit.HOUR)
    with snapshot(engine) as connection:
        rolled_until = timeline.start
        if timeline.unit.has_hours:
            rolled_until = read_hours_until(connection, timeline.zone, timeline.start, timeline.end)
        at = min(max(rolled_until, timeline.start), timeline.end)
        parts = _read_rolled_up(connection, timeline, at)
        if at > timeline.start:
            parts += _read_open_visits(connection, timeline, at)
        rest = tuple(edge for edge in timeline.edges if edge >= at)
        if len(rest) > 1:
            parts += _sum_cells(read_cells(connection, replace(timeline, edges=rest), _COLUMNS))
    cameras = sorted({part.camera for part in parts})
    sums = np.zeros((HOURS, len(cameras), len(_COLUMNS)))
    for part in parts:
        sums[part.hour, cameras.index(part.camera)] += part.values
    hidden = hidden_groups(sums[:, :, 0], cameras, choice)
    chosen = [place for place, camera in enumerate(cameras) if choice.has(camera)]
    return [_hour(hour, sums[hour, chosen].sum(axis=0), hour in hidden) for hour in range(HOURS)]


def _read_rolled_up(connection: sa.Connection, timeline: Timeline, until: int) -> list[_Part]:
    """The sums over the roll-ups by hour from the start of the timeline, added up by the database."""
    hours = tables.camera_hours.c
    parts = []
    for start, stop, offset in _spans_of_one_offset(timeline, until):
        hour = ((hours.hour + sa.literal(offset, sa.BigInteger)) // HOUR_US + _MONDAY) % HOURS
        sums = (sa.func.sum(hours[name]) for name in _COLUMNS)
        query = sa.select(hour, hours.camera_id, *sums).where(hours.hour >= start, hours.hour < stop)
        for row in connection.execute(query.group_by(sa.text("1"), sa.text("2"))):
            parts.append(_Part(int(row[0]), row[1], np.asarray(row[2:], np.float64)))
    return parts


def _spans_of_one_offset(timeline: Timeline, until: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and offset from UTC of each span before `until` in which the clock does not change."""
    edges = [edge for edge in timeline.edges if edge < until]
    for offset, group in groupby(edges, lambda edge: to_local_time(edge, timeline.zone) - edge):
        span = list(group)
        yield span[0], min(span[-1] + HOUR_US, until), offset


def _read_open_visits(connection: sa.Connection, timeline: Timeline, until: int) -> list[_Part]:
    """Visits of rolled up hours that are not over, which no roll-up contains."""
    found = read_visit_sums(connection, timeline.start, until, HOUR_US, which="open", columns=_COLUMNS[:1])
    return [
        _Part(hour, camera, np.asarray([*values, 0, 0], np.float64))
        for hour, camera, values in zip(
            _hours_of_week(found.starts.tolist(), timeline), found.cameras, found.values, strict=True
        )
    ]


def _sum_cells(cells: Cells) -> list[_Part]:
    hours = _hours_of_week(cells.timeline.edges[:-1], cells.timeline)
    sums = np.zeros((HOURS, *cells.values.shape[1:]))
    np.add.at(sums, hours, cells.values)
    return [
        _Part(hour, camera, sums[hour, place])
        for hour in sorted(set(hours))
        for place, camera in enumerate(cells.cameras)
    ]


def _hours_of_week(times: Sequence[int], timeline: Timeline) -> list[int]:
    return [(to_local_time(time, timeline.zone) // HOUR_US + _MONDAY) % HOURS for time in times]


def _hour(hour: int, sums: np.ndarray[tuple[int], np.dtype[np.float64]], hidden: bool) -> WeekHour:
    visits, watched, scheduled = (float(value) for value in sums)
    coverage = watched / scheduled if scheduled else None
    hours = watched / HOUR_US
    if not visits:
        state = state_without_visits(coverage)
        nobody = state is State.NOBODY
        return WeekHour(hour, state, 0.0 if nobody else None, 0 if nobody else None, hours, coverage)
    if hidden:
        return WeekHour(hour, State.SUPPRESSED, None, None, hours, coverage)
    return WeekHour(hour, State.SHOWN, visits / hours if hours else None, round(visits), hours, coverage)
