"""Expression by perceived gender: the mix of each labelled group."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage import suppression
from storage.figures.cells import read_cells, snapshot
from storage.figures.estimate import Array, shares_over_days
from storage.figures.groups import GENDER_LABELS, LABELS, State, cross_counts
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline, Unit
from storage.intervals import Interval
from storage.tables import CROSS_COUNTS


@dataclass(frozen=True, slots=True)
class GenderMix:
    """The expression mix of the visits of one perceived gender; empty where hidden or without visits."""

    gender: str
    state: State
    visits: int | None
    expressions: dict[str, Interval]


def read_cross(engine: sa.Engine, timeline: Timeline, choice: Choice) -> list[GenderMix]:
    """The expression mix by perceived gender, the visits without a label last.

    Raises DatabaseError where the database cannot be read.
    """
    whole = timeline.whole()
    by_day = timeline.refined(Unit.DAY)
    with snapshot(engine) as connection:
        cells = read_cells(connection, whole, CROSS_COUNTS)
        days = read_cells(connection, by_day, CROSS_COUNTS, only=choice.cameras, merged=True)
    by_camera = cross_counts(cells.values[0])
    counts = cross_counts(days.chosen(choice.cameras))
    # Every gender is a group by camera, and the genders together make up the visits of the choice.
    hidden = hidden_groups(by_camera.sum(axis=1).T, cells.cameras, choice)
    totals = counts.sum(axis=(0, 1)).round().astype(int).tolist()
    hidden = suppression.find_hidden(totals, choice.suppress_below, hidden)
    return [_mix(gender, counts[..., place], place in hidden) for place, gender in enumerate(GENDER_LABELS)]


def _mix(gender: str, counts: Array, hidden: bool) -> GenderMix:
    """The mix of one gender from its visits by day and expression, of the shape (days, expressions)."""
    n = round(float(counts.sum()))
    if not n:
        return GenderMix(gender, State.NOBODY, 0, {})
    if hidden:
        return GenderMix(gender, State.SUPPRESSED, None, {})
    shares = shares_over_days(counts, counts.sum(axis=1))
    return GenderMix(gender, State.SHOWN, n, dict(zip(LABELS, shares, strict=True)))
