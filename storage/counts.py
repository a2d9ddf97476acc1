"""Counts of visits and coverage in a period, summed by slot: the queries behind every trend.

Closed visits are read from the rollup `visit_minutes`, open ones from `visits`. A visit is always in exactly
one of them, since the writer closes it and adds it to the rollup in one transaction. So figures are seconds
old, and the cost of a long period depends on its minutes and not on its visits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import CameraState, minute_of
from storage import tables
from storage.mood import mood_of
from storage.periods import Period

SETTLING_US = 5_000_000
"""Frames of the last seconds may not be stored yet, so this time is not scheduled yet."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The visits of one slot, camera, expression and gender; `mood` and `mood_squared` are sums over them."""

    slot: int
    camera_id: str
    expression: str
    gender: str
    visits: int
    mood: float
    mood_squared: float


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of a period.

    `watched` and `scheduled` are microseconds by slot and camera. A camera is scheduled from its registration
    or its first minute of coverage until its source ended or until now. A camera that is paused or removed is
    scheduled only while it watched.
    """

    period: Period
    cells: tuple[Cell, ...]
    watched: Mapping[tuple[int, str], int]
    scheduled: Mapping[tuple[int, str], int]


def read_counts(engine: sa.Engine, period: Period) -> Counts:
    """Read the counts of a period for all cameras.

    Raises DatabaseError where the database cannot be read.
    """
    with engine.connect() as connection:
        cells = tuple(_cells(connection, period))
        watched, first = _watched(connection, period)
        scheduled = _scheduled(connection, period, watched, first)
    return Counts(period, cells, watched, scheduled)


def _cells(connection: sa.Connection, period: Period) -> list[Cell]:
    rollup, visits = tables.visit_minutes.c, tables.visits.c
    keys = ("camera_id", "expression", "gender")
    sums = ("visits", "mood", "mood_squared")
    closed = sa.select(_slot(rollup.minute, period), *(rollup[name] for name in (*keys, *sums))).where(
        rollup.minute >= period.start, rollup.minute < period.end
    )
    each_mood = mood_of(dict(visits))
    still_open = sa.select(
        _slot(visits.first_seen, period),
        *(visits[name] for name in keys),
        sa.literal(1),
        each_mood,
        each_mood * each_mood,
    ).where(~visits.closed, visits.first_seen >= period.start, visits.first_seen < period.end)
    each = sa.union_all(closed, still_open).subquery().c
    grouped = sa.select(
        each.slot, *(each[name] for name in keys), *(sa.func.sum(each[name]) for name in sums)
    )
    rows = connection.execute(grouped.group_by(each.slot, *(each[name] for name in keys)))
    return [
        Cell(slot, camera_id, expression, gender, int(visits), mood, mood_squared)
        for slot, camera_id, expression, gender, visits, mood, mood_squared in rows
    ]


def _watched(connection: sa.Connection, period: Period) -> tuple[dict[tuple[int, str], int], dict[str, int]]:
    """The watched time by slot and camera, and the first minute of coverage of each camera in the period."""
    minutes = tables.camera_minutes.c
    each = (
        sa.select(_slot(minutes.minute, period), minutes.camera_id, minutes.minute, minutes.watched_us)
        .where(minutes.minute >= period.start, minutes.minute < period.end)
        .subquery()
        .c
    )
    grouped = sa.select(each.slot, each.camera_id, sa.func.min(each.minute), sa.func.sum(each.watched_us))
    watched: dict[tuple[int, str], int] = {}
    first: dict[str, int] = {}
    for slot, camera_id, minute, time in connection.execute(grouped.group_by(each.slot, each.camera_id)):
        watched[slot, camera_id] = int(time)
        first[camera_id] = min(minute, first.get(camera_id, minute))
    return watched, first


def _scheduled(
    connection: sa.Connection,
    period: Period,
    watched: Mapping[tuple[int, str], int],
    first: Mapping[str, int],
) -> dict[tuple[int, str], int]:
    cameras, states = tables.cameras, tables.camera_states
    rows = connection.execute(
        sa.select(cameras.c.id, cameras.c.created_at, states.c.state, states.c.since)
        .outerjoin_from(cameras, states, cameras.c.id == states.c.camera_id)
        .where(cameras.c.enabled)
    ).all()
    scheduled = dict(watched)
    for camera_id, created_at, state, since in rows:
        seen = first.get(camera_id, created_at)
        begin = seen if seen < minute_of(created_at) else created_at
        finish = since if state == CameraState.ENDED else period.now - SETTLING_US
        for slot in range(period.slots):
            length = min(period.edge(slot + 1), finish) - max(period.edge(slot), begin)
            if length > 0:
                scheduled[slot, camera_id] = length
    return scheduled


def _slot(time: sa.ColumnElement[int], period: Period) -> sa.Label[int]:
    return ((time - period.start) // period.step).label("slot")
