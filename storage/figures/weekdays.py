"""Visits by weekday and hour: how many in an observed hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from storage.figures.cells import read_cells, snapshot
from storage.figures.groups import State
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, to_local_time

_COLUMNS = ("visits", "watched_us", "scheduled_us")
HOURS = 168


@dataclass(frozen=True, slots=True)
class WeekHour:
    """One hour of the week, 0 is Monday from midnight; `rate` is visits per observed hour, None if hidden."""

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
    with snapshot(engine) as connection:
        cells = read_cells(connection, timeline.refined(Unit.HOUR), _COLUMNS)
    local = [to_local_time(edge, timeline.zone) // HOUR_US for edge in cells.timeline.edges[:-1]]
    hours = np.asarray([(hour // 24 + 3) % 7 * 24 + hour % 24 for hour in local], np.int64)
    sums = np.zeros((HOURS, *cells.values.shape[1:]))
    np.add.at(sums, hours, cells.values)
    hidden = hidden_groups(sums[:, :, 0], cells.cameras, choice)
    chosen = [place for place, camera in enumerate(cells.cameras) if choice.has(camera)]
    return [_hour(hour, sums[hour, chosen].sum(axis=0), hour in hidden) for hour in range(HOURS)]


def _hour(hour: int, sums: np.ndarray[tuple[int], np.dtype[np.float64]], hidden: bool) -> WeekHour:
    visits, watched, scheduled = (float(value) for value in sums)
    coverage = watched / scheduled if scheduled else None
    hours = watched / HOUR_US
    if not visits:
        state = State.NOBODY if coverage else State.UNOBSERVED
        return WeekHour(hour, state, 0.0 if coverage else None, 0 if coverage else None, hours, coverage)
    if hidden:
        return WeekHour(hour, State.SUPPRESSED, None, None, hours, coverage)
    return WeekHour(hour, State.SHOWN, visits / hours if hours else None, round(visits), hours, coverage)
