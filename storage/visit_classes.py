"""Classes of visits by face size and by confidence: counts by UTC day and camera, without any label.

They show whether faces are large enough, and the model sure enough, without a scan of single visits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from storage import tables
from storage.day_partitions import DAY_US

Kind = Literal["size", "confidence"]

SIZE_EDGES = (16, 24, 40, 80, 160)
"""Edges in pixels between the classes of the mean size of a visit's face."""

CONFIDENCE_EDGES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Edges between the classes of the probability of a visit's most probable expression."""

EDGES: Mapping[Kind, Sequence[float]] = {"size": SIZE_EDGES, "confidence": CONFIDENCE_EDGES}


def classify(visits: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows that closed visits add to the table `visit_classes`."""
    counts: Counter[tuple[int, str, str, int]] = Counter()
    for visit in visits:
        day = visit["first_seen"] - visit["first_seen"] % DAY_US
        probabilities = [visit[name] for name in tables.PROBABILITIES if visit[name] is not None]
        counts[day, visit["camera_id"], "size", bisect_right(SIZE_EDGES, visit["face_size"])] += 1
        if probabilities:
            place = bisect_right(CONFIDENCE_EDGES, max(probabilities))
            counts[day, visit["camera_id"], "confidence", place] += 1
    names = [column.name for column in tables.visit_classes.primary_key]
    return [dict(zip(names, key, strict=True)) | {"visits": count} for key, count in counts.items()]


def add_closed_visits(connection: sa.Connection, start: int, end: int, model: str) -> None:
    """Add the visits of one model that started in a period, as the writer does with each visit it closes."""
    on_postgresql = connection.dialect.name == "postgresql"
    visits = tables.visits.c
    greatest = sa.func.greatest if on_postgresql else sa.func.max
    values: dict[Kind, sa.ColumnElement[float]] = {
        "size": visits.face_size,
        "confidence": greatest(*(visits[name] for name in tables.PROBABILITIES)),
    }
    for kind, value in values.items():
        edges = EDGES[kind]
        each = (
            sa.select(
                (visits.first_seen - visits.first_seen % DAY_US).label("day"),
                visits.camera_id,
                sa.case(
                    *((value < edge, number) for number, edge in enumerate(edges)), else_=len(edges)
                ).label("class"),
            )
            .where(
                visits.closed,
                visits.first_seen >= start,
                visits.first_seen < end,
                visits.model == model,
                value.is_not(None),
            )
            .subquery()
            .c
        )
        keys = (each.day, each.camera_id, each["class"])
        # The condition lets SQLite read ON CONFLICT as a part of the insert.
        counts = (
            sa.select(keys[0], keys[1], sa.literal(kind), keys[2], sa.func.count())
            .where(sa.true())
            .group_by(*keys)
        )
        new = (postgresql if on_postgresql else sqlite).insert(tables.visit_classes)
        table = tables.visit_classes
        connection.execute(
            new.from_select(["day", "camera_id", "kind", "class", "visits"], counts).on_conflict_do_update(
                index_elements=list(table.primary_key), set_={"visits": table.c.visits + new.excluded.visits}
            )
        )
