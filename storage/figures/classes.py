"""Visits by face size and by confidence: whether faces are large enough, and the model sure enough.

Full UTC days that are over are counted, each as a whole or not at all: a day in which the chosen cameras have
few visits, or which would reveal few visits of other cameras, counts nowhere. So the figures of two periods
differ by days of at least `suppress_below` visits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from storage import tables
from storage.day_partitions import DAY_US, start_of_day
from storage.figures.cells import snapshot
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline
from storage.visit_classes import EDGES, Kind

_TABLE = tables.visit_classes


@dataclass(frozen=True, slots=True)
class VisitClasses:
    """The number of visits in each class, in the order of `EDGES`, and of days that count and are hidden."""

    sizes: tuple[int, ...]
    confidences: tuple[int, ...]
    days: int
    hidden_days: int


def read_classes(engine: sa.Engine, timeline: Timeline, choice: Choice) -> VisitClasses:
    """The visits of the chosen cameras in the UTC days of a period that are over.

    Raises DatabaseError where the database cannot be read.
    """
    start = start_of_day(timeline.start)
    end = min(start_of_day(timeline.end - 1) + DAY_US, start_of_day(timeline.now))
    within = (_TABLE.c.day >= start) & (_TABLE.c.day < end)
    with snapshot(engine) as connection:
        days, hidden = _read_days(connection, within, choice)
        counts = _read_counts(connection, within, days - hidden, choice)
    return VisitClasses(counts["size"], counts["confidence"], len(days - hidden), len(hidden))


def _read_days(
    connection: sa.Connection, within: sa.ColumnElement[bool], choice: Choice
) -> tuple[frozenset[int], frozenset[int]]:
    """The days in which the chosen cameras have visits, and those of them that are hidden."""
    query = (
        sa.select(_TABLE.c.day, _TABLE.c.camera_id, sa.func.sum(_TABLE.c.visits))
        .where(within, _TABLE.c.kind == "size")
        .group_by(_TABLE.c.day, _TABLE.c.camera_id)
    )
    rows = connection.execute(query).all()
    days = sorted({row[0] for row in rows if choice.has(row[1])})
    cameras = sorted({row[1] for row in rows})
    visits = np.zeros((len(days), len(cameras)))
    places = {day: place for place, day in enumerate(days)}
    numbers = {camera: place for place, camera in enumerate(cameras)}
    for day, camera, count in rows:
        if day in places:
            visits[places[day], numbers[camera]] = count
    hidden = hidden_groups(visits, cameras, choice) if days else frozenset()
    return frozenset(days), frozenset(days[place] for place in hidden)


def _read_counts(
    connection: sa.Connection, within: sa.ColumnElement[bool], days: frozenset[int], choice: Choice
) -> dict[Kind, tuple[int, ...]]:
    """The visits of each class on these days, by kind of class."""
    query = (
        sa.select(_TABLE.c.kind, _TABLE.c["class"], sa.func.sum(_TABLE.c.visits))
        .where(within, _TABLE.c.day.in_(sorted(days)))
        .group_by(_TABLE.c.kind, _TABLE.c["class"])
    )
    if choice.cameras is not None:
        query = query.where(_TABLE.c.camera_id.in_(sorted(choice.cameras)))
    found = {(kind, number): int(count) for kind, number, count in connection.execute(query)}
    return {
        kind: tuple(found.get((kind, number), 0) for number in range(len(edges) + 1))
        for kind, edges in EDGES.items()
    }
