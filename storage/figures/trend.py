"""The trend of a period: its figures as a whole and by slot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from storage.figures.cells import Cells, read_cells, snapshot
from storage.figures.groups import GROUP_COLUMNS, Figures, figures_of
from storage.figures.released import ReleasedFigures, sum_by_day
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.local_time import date_of

DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True)
class Slot:
    """The figures of one slot, `start` to `end` in UTC microseconds; `running` if it is not over yet.

    `days` is the number of days of a week that an end of the period cuts, None for every other slot.
    `hidden_days` is the number of days of a week whose visits it does not contain, since they are too few.
    """

    start: int
    end: int
    running: bool
    figures: Figures
    days: int | None = None
    hidden_days: int = 0


@dataclass(frozen=True, slots=True)
class Trend:
    """The figures of a whole period and of each of its slots, read at the same time.

    `hidden` is the number of slots with visits that no figure of the period contains and none ever will; of
    weeks, it counts days.
    """

    whole: Figures
    slots: tuple[Slot, ...]
    hidden: int = 0


def read_trend(engine: sa.Engine, timeline: Timeline, choice: Choice) -> Trend:
    """Read the figures of a timeline for a choice of cameras.

    Raises DatabaseError where the database cannot be read.
    """
    fine = timeline.refined(Unit.DAY) if timeline.unit in {Unit.DAY, Unit.WEEK} else timeline
    spans = list(pairwise(timeline.edges))
    with snapshot(engine) as connection:
        cells = read_cells(connection, fine, GROUP_COLUMNS, only=choice.cameras, merged=True)
        if choice.suppress_below > 1:
            released = ReleasedFigures(connection, cells, choice)
            slots = [_released_slot(released, timeline, *span) for span in spans]
            whole = released.between(timeline.start, timeline.end)
            return Trend(whole, tuple(slots), released.count_hidden(timeline.start, timeline.end))
    places = np.searchsorted(timeline.edges, fine.edges[:-1], side="right") - 1
    figures = [_figures(cells, np.flatnonzero(places == slot), choice) for slot in range(timeline.slots)]
    return Trend(
        _figures(cells, np.arange(fine.slots), choice),
        tuple(
            Slot(start, end, start <= timeline.now < end, each, _cut_days(timeline, start, end))
            for (start, end), each in zip(spans, figures, strict=True)
        ),
    )


def _released_slot(released: ReleasedFigures, timeline: Timeline, start: int, end: int) -> Slot:
    return Slot(
        start,
        end,
        released.is_running(start, end),
        released.between(start, end),
        _cut_days(timeline, start, end),
        released.count_hidden(start, end) if timeline.unit is Unit.WEEK else 0,
    )


def _cut_days(timeline: Timeline, start: int, end: int) -> int | None:
    days = (date_of(end - 1, timeline.zone) - date_of(start, timeline.zone)).days + 1
    return days if timeline.unit is Unit.WEEK and days < DAYS_OF_WEEK else None


def _figures(cells: Cells, slots: NDArray[np.intp], choice: Choice) -> Figures:
    """The figures of some slots of the cells, of which nothing is hidden."""
    sums = cells.chosen(choice.cameras)[slots]
    days = [date_of(cells.timeline.edges[slot], cells.timeline.zone).toordinal() for slot in slots]
    return figures_of(sum_by_day(sums, np.asarray(days)))
