"""How the cameras are doing, as an operator should read it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraState, minute_of
from storage import tables

SILENT_US = 20 * MICROSECONDS
"""A state that was not repeated for so long says nothing of now: whoever reported it is gone."""

RECENT_US = 60 * MINUTE_US
"""How far back frames are counted."""


class Condition(StrEnum):
    """What a camera is doing now: the state that it reported, or that it reports nothing."""

    ONLINE = "online"
    CONNECTING = "connecting"
    RETRYING = "retrying"
    SILENT = "not running"
    ENDED = "ended"
    PAUSED = "paused"

    @property
    def down(self) -> bool:
        """Whether somebody should look after it."""
        return self in {Condition.RETRYING, Condition.SILENT}

    @property
    def expected(self) -> bool:
        """Whether the camera should deliver pictures now."""
        return self not in {Condition.PAUSED, Condition.ENDED}


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One registered camera now and over the last hour. Times are UTC microseconds.

    `fps` is what was sampled over the last seconds, `fps_expected` None where it has no rate of its own.
    `reconnects` counts since its capture began. The frames of the last hour: `captured`, of these
    `analysed`, `stale` (too old when their turn came), `failed` (could not be decoded) and `dropped` by
    reason; `frame_age_us` is the analysed frames' mean age when they were done, None without any.
    """

    camera_id: str
    name: str
    site: str
    zone: str
    condition: Condition
    reason: str
    since: int | None
    fps: float
    fps_expected: float | None
    last_frame_at: int | None
    reconnects: int
    captured: int
    analysed: int
    stale: int
    failed: int
    dropped: dict[str, int]
    frame_age_us: float | None


def cameras(engine: sa.Engine, now: int) -> list[CameraStatus]:
    """Every registered camera, by id.

    Raises sqlalchemy.exc.DBAPIError where the database cannot be read.
    """
    registered, states = tables.cameras, tables.camera_states
    reported = [states.c[name] for name in ("state", "since", "reported_at", "last_frame_at", "reconnects")]
    query = (
        sa.select(
            registered,
            *reported,
            states.c.reason.label("reported_reason"),
            states.c.fps.label("sampled_fps"),
        )
        .outerjoin_from(registered, states, registered.c.id == states.c.camera_id)
        .order_by(registered.c.id)
    )
    begin = minute_of(now - RECENT_US)
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
        counts = _counts(connection, begin)
        drops = _drops(connection, begin)
    return [_status(row, counts.get(row["id"]), drops.get(row["id"], {}), now) for row in rows]


def _status(
    row: sa.RowMapping, counts: sa.RowMapping | None, drops: dict[str, int], now: int
) -> CameraStatus:
    condition, reason, since = _condition(row, now)
    frames = {
        name: int(counts[name]) if counts else 0 for name in ("captured", "analysed", "stale", "failed")
    }
    analysed = frames["analysed"]
    # Captures store their counts about once a second: what came of frames may be known a little earlier.
    known = analysed + frames["stale"] + frames["failed"] + sum(drops.values())
    return CameraStatus(
        camera_id=row["id"],
        name=row["name"] or row["id"],
        site=row["site"],
        zone=row["zone"],
        condition=condition,
        reason=reason,
        since=since,
        fps=row["sampled_fps"] if condition is Condition.ONLINE else 0.0,
        fps_expected=row["fps"],
        last_frame_at=row["last_frame_at"],
        reconnects=row["reconnects"] or 0,
        captured=max(frames["captured"], known),
        analysed=analysed,
        stale=frames["stale"],
        failed=frames["failed"],
        dropped=drops,
        frame_age_us=int(counts["age_sum_us"]) / analysed if counts and analysed else None,
    )


def _condition(row: sa.RowMapping, now: int) -> tuple[Condition, str, int | None]:
    """What the camera is doing, why, and since when."""
    if not row["enabled"]:
        return Condition.PAUSED, row["pause_reason"], row["changed_at"]
    if row["state"] is None:
        return Condition.SILENT, "It was never started: `mien run` is not running, or not with it", None
    if row["state"] == CameraState.ENDED:
        return Condition.ENDED, row["reported_reason"], row["since"]
    if now - row["reported_at"] > SILENT_US:
        return Condition.SILENT, "Nothing reports on it: `mien run` is not running", row["reported_at"]
    if row["state"] == CameraState.PAUSED:
        return Condition.CONNECTING, "", row["since"]
    return Condition(row["state"]), row["reported_reason"], row["since"]


def _counts(connection: sa.Connection, begin: int) -> dict[str, Any]:
    minutes = tables.camera_minutes.c
    sums = ("captured", "analysed", "stale", "failed", "age_sum_us")
    query = sa.select(minutes.camera_id, *(sa.func.sum(minutes[name]).label(name) for name in sums))
    rows = connection.execute(query.where(minutes.minute >= begin).group_by(minutes.camera_id)).mappings()
    return {row["camera_id"]: row for row in rows}


def _drops(connection: sa.Connection, begin: int) -> dict[str, dict[str, int]]:
    drops = tables.camera_drops.c
    query = sa.select(drops.camera_id, drops.reason, sa.func.sum(drops.frames)).where(drops.minute >= begin)
    result: dict[str, dict[str, int]] = {}
    for camera_id, reason, frames in connection.execute(query.group_by(drops.camera_id, drops.reason)):
        result.setdefault(camera_id, {})[reason] = int(frames)
    return result
