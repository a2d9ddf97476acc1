"""Expression by perceived gender: the mix of each labelled group."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from storage import suppression
from storage.figures.cells import read_cells, snapshot
from storage.figures.groups import GENDER_LABELS, GROUP_COLUMNS, LABELS, State, cross_counts
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline
from storage.intervals import Interval, share_interval


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
    with snapshot(engine) as connection:
        cells = read_cells(connection, timeline.whole(), GROUP_COLUMNS)
    by_camera = cross_counts(cells.values[0])
    chosen = [place for place, camera in enumerate(cells.cameras) if choice.has(camera)]
    counts = by_camera[chosen].sum(axis=0).round().astype(int)
    # Every gender is a group by camera, and the genders together make up the visits of the choice.
    hidden = hidden_groups(by_camera.sum(axis=1).T, cells.cameras, choice)
    hidden = suppression.find_hidden(counts.sum(axis=0).tolist(), choice.suppress_below, hidden)
    return [
        _mix(gender, counts[:, place].tolist(), place in hidden) for place, gender in enumerate(GENDER_LABELS)
    ]


def _mix(gender: str, counts: list[int], hidden: bool) -> GenderMix:
    n = sum(counts)
    if not n:
        return GenderMix(gender, State.NOBODY, 0, {})
    if hidden:
        return GenderMix(gender, State.SUPPRESSED, None, {})
    shares = {label: share_interval(count, n) for label, count in zip(LABELS, counts, strict=True)}
    return GenderMix(gender, State.SHOWN, n, shares)
