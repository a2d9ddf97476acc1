"""Visits by face size and by confidence: whether faces are large enough, and the model sure enough.

Full UTC days that are over are counted, each as a whole or not at all: a day in which the chosen cameras have
few visits, or which would reveal few visits of other cameras, counts nowhere. So the figures of two periods
differ by days of at least `suppress_below` visits. Visits without an estimate have a face size alone, so the
days that count for confidence are others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
class Classes:
    """The number of visits in each class, in the order of `EDGES`, and of days that count and are hidden."""

    counts: tuple[int, ...]
    days: int
    hidden_days: int


@dataclass(frozen=True, slots=True)
class VisitClasses:
    """The visits by face size, and those with an estimate by confidence."""

    sizes: Classes
    confidences: Classes


def read_classes(engine: sa.Engine, timeline: Timeline, choice: Choice) -> VisitClasses:
    """The visits of the chosen cameras in the UTC days of a period that are over.

    Raises DatabaseError where the database cannot be read.
    """
    start = start_of_day(timeline.start)
    end = min(start_of_day(timeline.end - 1) + DAY_US, start_of_day(timeline.now))
    within = (_TABLE.c.day >= start) & (_TABLE.c.day < end)
    with snapshot(engine) as connection:
        days = _read_days(connection, within, choice)
        counts = _read_counts(connection, {kind: days[kind].shown for kind in EDGES}, choice)
    found = {kind: Classes(counts[kind], len(days[kind].shown), len(days[kind].hidden)) for kind in EDGES}
    return VisitClasses(found["size"], found["confidence"])


class _Days(NamedTuple):
    """The days in which the chosen cameras have visits with a class, microseconds UTC."""

    shown: frozenset[int]
    hidden: frozenset[int]


def _read_days(
    connection: sa.Connection, within: sa.ColumnElement[bool], choice: Choice
) -> dict[Kind, _Days]:
    sums = (sa.func.sum(_TABLE.c.visits).filter(_TABLE.c.kind == kind) for kind in EDGES)
    query = (
        sa.select(_TABLE.c.day, _TABLE.c.camera_id, *sums)
        .where(within)
        .group_by(_TABLE.c.day, _TABLE.c.camera_id)
    )
    rows = connection.execute(query).all()
    return {
        kind: _choose_days([(row[0], row[1], row[place]) for row in rows if row[place]], choice)
        for place, kind in enumerate(EDGES, start=2)
    }


def _choose_days(rows: Sequence[Sequence[Any]], choice: Choice) -> _Days:
    """The days of rows of day, camera and number of visits."""
    days = sorted({row[0] for row in rows if choice.has(row[1])})
    cameras = sorted({row[1] for row in rows})
    visits = np.zeros((len(days), len(cameras)))
    places = {day: place for place, day in enumerate(days)}
    numbers = {camera: place for place, camera in enumerate(cameras)}
    for day, camera, count in rows:
        if day in places:
            visits[places[day], numbers[camera]] = count
    places_hidden = hidden_groups(visits, cameras, choice) if days else frozenset()
    hidden = frozenset(days[place] for place in places_hidden)
    return _Days(frozenset(days) - hidden, hidden)


def _read_counts(
    connection: sa.Connection, days: Mapping[Kind, frozenset[int]], choice: Choice
) -> dict[Kind, tuple[int, ...]]:
    """The visits of each class on the days of its kind, by kind of class."""
    # Nearly all days are those of each kind, so these are read at once.
    common = frozenset.intersection(*days.values())
    found = _sum_days(connection, common, choice)
    for kind in EDGES:
        if rest := days[kind] - common:
            of_kind = _sum_days(connection, rest, choice)
            found.update({key: count for key, count in of_kind.items() if key[0] == kind})
    return {
        kind: tuple(found[kind, number] for number in range(len(edges) + 1)) for kind, edges in EDGES.items()
    }


def _sum_days(connection: sa.Connection, days: frozenset[int], choice: Choice) -> Counter[tuple[Kind, int]]:
    """The visits of each class on these days, by kind and class."""
    query = (
        sa.select(_TABLE.c.kind, _TABLE.c["class"], sa.func.sum(_TABLE.c.visits))
        .where(_TABLE.c.day.in_(sorted(days)))
        .group_by(_TABLE.c.kind, _TABLE.c["class"])
    )
    if choice.cameras is not None:
        query = query.where(_TABLE.c.camera_id.in_(sorted(choice.cameras)))
    return Counter({(kind, number): int(count) for kind, number, count in connection.execute(query)})
