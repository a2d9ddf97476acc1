"""The history of one camera: how long it watched, its rate, its delay, and what became of its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from common.access import Actor
from storage import tables
from storage.figures.cells import read_cells, snapshot
from storage.figures.timeline import Timeline, Unit
from storage.scope import require_cameras

OUTCOMES = ("analysed", "unchanged", "stale", "failed", "superseded", "dropped")
"""What became of captured pictures; together they are all of them."""

_COLUMNS = ("captured", *OUTCOMES, "watched_us", "age_sum_us", "scheduled_us")


@dataclass(frozen=True, slots=True)
class HistorySlot:
    """One slot, `start` to `end` in UTC microseconds.

    `uptime` is the watched part of the scheduled time, None where nothing was scheduled. `fps` are captured
    pictures per second of watched time, `lag_s` the mean age of the analysed ones in seconds; None without
    any.
    """

    start: int
    end: int
    uptime: float | None
    fps: float | None
    lag_s: float | None


@dataclass(frozen=True, slots=True)
class CameraHistory:
    """One camera in a period: as a whole, and by slot; days where the period has weeks.

    `outcomes` are the captured pictures by what became of them, `drops` those that were dropped, by reason.
    """

    whole: HistorySlot
    slots: tuple[HistorySlot, ...]
    captured: int
    outcomes: Mapping[str, int]
    drops: Mapping[str, int]


def read_history(engine: sa.Engine, actor: Actor, camera_id: str, timeline: Timeline) -> CameraHistory:
    """The history of a camera, also of one that was removed.

    Raises AccessDenied where the actor may not read this camera, DatabaseError where the database cannot be
    read.
    """
    fine = timeline.refined(Unit.DAY) if timeline.unit in {Unit.DAY, Unit.WEEK} else timeline
    with snapshot(engine) as connection:
        require_cameras(connection, actor, {camera_id}, "read the history of")
        cells = read_cells(connection, fine, _COLUMNS, only={camera_id})
        drops = _read_drops(connection, camera_id, fine)
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in cells.chosen({camera_id}).tolist()]
    total = {name: sum(row[name] for row in rows) for name in _COLUMNS}
    edges = fine.edges
    return CameraHistory(
        _slot(edges[0], edges[-1], total),
        tuple(_slot(edges[place], edges[place + 1], row) for place, row in enumerate(rows)),
        round(total["captured"]),
        {name: round(total[name]) for name in OUTCOMES},
        drops,
    )


def _slot(start: int, end: int, row: Mapping[str, float]) -> HistorySlot:
    watched, scheduled = row["watched_us"], row["scheduled_us"]
    return HistorySlot(
        start,
        end,
        min(watched / scheduled, 1.0) if scheduled else None,
        row["captured"] / (watched / MICROSECONDS) if watched else None,
        row["age_sum_us"] / row["analysed"] / MICROSECONDS if row["analysed"] else None,
    )


def _read_drops(connection: sa.Connection, camera_id: str, timeline: Timeline) -> dict[str, int]:
    """The dropped pictures of a period by reason, the most frequent first."""
    drops = tables.camera_drops.c
    frames = sa.func.sum(drops.frames)
    query = (
        sa.select(drops.reason, frames)
        .where(drops.camera_id == camera_id, drops.minute >= timeline.start, drops.minute < timeline.end)
        .group_by(drops.reason)
        .order_by(frames.desc(), drops.reason)
    )
    return {reason: int(count) for reason, count in connection.execute(query)}
