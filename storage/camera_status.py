"""The status of each camera: its condition, and its frames of the last hour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from bus.messages import MICROSECONDS, MINUTE_US, CameraState, minute_of
from common.masks import parse_masks
from common.source_identity import path_of
from common.timezones import find_local_timezone, open_timezone
from storage import tables
from storage.leases import database_clock_us, read_leases
from storage.open_hours import describe_closed

REPORT_TIMEOUT_US = 20 * MICROSECONDS
"""The age from which on a reported state is out of date: the capture reports every few seconds."""

RECENT_US = 60 * MINUTE_US
"""The time over which frames are counted."""


class Condition(StrEnum):
    """The condition of a camera: the state of its newest report, or NOT_RUNNING without a recent report.

    ENDED is a recording that is over; any other camera whose capture has ended is NOT_RUNNING. Outside of its
    opening hours a camera is NOT_SCHEDULED, whether a process runs or not.
    """

    ONLINE = "online"
    CONNECTING = "connecting"
    RETRYING = "retrying"
    NOT_RUNNING = "not running"
    ENDED = "ended"
    PAUSED = "paused"
    NOT_SCHEDULED = "not scheduled"

    @property
    def down(self) -> bool:
        """Whether the camera needs attention."""
        return self in {Condition.RETRYING, Condition.NOT_RUNNING}

    @property
    def expected(self) -> bool:
        """Whether the camera should deliver pictures now."""
        return self not in {Condition.PAUSED, Condition.ENDED, Condition.NOT_SCHEDULED}


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """One registered camera now and over the last hour. Times are UTC microseconds.

    `fps` is the rate of the last seconds, `fps_expected` the camera's own rate or None. `reconnects` counts
    since its capture started, `recent_reconnects` within the last hour. The frames of the last hour are
    `captured`, and of these `unchanged` (not analysed, because they showed no change), `analysed`, `stale`
    (too old to be analysed), `failed` (not decodable) and `dropped` by reason. `frame_age_us` is the mean age
    of the analysed frames at the end of their analysis, None without any. `captured_by` is the process that
    captures the camera, "HOST pid N", empty while none does. `open_hours`, `purpose`, `notice_at`, the number
    of `masks` and the switches are as in `storage.registry`.
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
    unchanged: int
    analysed: int
    stale: int
    failed: int
    dropped: dict[str, int]
    frame_age_us: float | None
    captured_by: str = ""
    recent_reconnects: int = 0
    open_hours: str = ""
    purpose: str = ""
    notice_at: str = ""
    masks: int = 0
    read_expression: bool = True
    read_gender: bool = True


def read_camera_status(engine: sa.Engine, now: int, zone: ZoneInfo | None = None) -> list[CameraStatus]:
    """The status of every registered camera, by id; opening hours are in `zone`, None for the machine's own.

    Raises DatabaseError where the database cannot be read.
    """
    registered, states = tables.cameras, tables.camera_states
    zone = zone or open_timezone(find_local_timezone().name)
    names = ("state", "since", "reported_at", "last_frame_at", "reconnects", "recent_reconnects")
    reported = [states.c[name] for name in names]
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
        holders = _holders(connection)
    return [
        replace(
            _status(row, counts.get(row["id"]), drops.get(row["id"], {}), now, zone),
            captured_by=holders.get(row["id"], ""),
        )
        for row in rows
    ]


def _status(
    row: sa.RowMapping, counts: sa.RowMapping | None, drops: dict[str, int], now: int, zone: ZoneInfo
) -> CameraStatus:
    condition, reason, since = _condition(row, now, zone)
    frames = {
        name: int(counts[name]) if counts else 0
        for name in ("captured", "unchanged", "analysed", "stale", "failed", "superseded")
    }
    analysed = frames["analysed"]
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
        captured=frames["captured"],
        unchanged=frames["unchanged"],
        analysed=analysed,
        stale=frames["stale"],
        failed=frames["failed"],
        dropped=drops,
        frame_age_us=int(counts["age_sum_us"]) / analysed if counts and analysed else None,
        recent_reconnects=row["recent_reconnects"] or 0,
        masks=len(parse_masks(row["masks"])),
        **{
            name: row[name]
            for name in ("open_hours", "purpose", "notice_at", "read_expression", "read_gender")
        },
    )


def is_over(source: str, state: str | None, reason: str) -> bool:
    """Whether a camera is a recording whose capture has ended, so that no more pictures are expected.

    The capture of a live camera ends, too: when Mien is stopped, or when the source cannot be used. Whether a
    source that begins with a variable is a recording is not known here; only recordings end without a reason.
    """
    is_recording = path_of(source) is not None and not (source.startswith("${") and reason)
    return state == CameraState.ENDED and is_recording


def _condition(row: sa.RowMapping, now: int, zone: ZoneInfo) -> tuple[Condition, str, int | None]:
    """The condition of a camera, the reason for it, and its start."""
    if not row["enabled"]:
        return Condition.PAUSED, row["pause_reason"], row["changed_at"]
    over = is_over(row["source"], row["state"], row["reported_reason"])
    if not over and (closed := describe_closed(row["open_hours"], now, zone)):
        reported = row["since"] if row["state"] == CameraState.NOT_SCHEDULED else None
        return Condition.NOT_SCHEDULED, closed, reported
    return _reported_condition(row, now, over)


def _reported_condition(row: sa.RowMapping, now: int, over: bool) -> tuple[Condition, str, int | None]:
    """The condition of a camera that should be captured now, unless its recording is `over`."""
    if row["state"] is None:
        return (
            Condition.NOT_RUNNING,
            "Not started yet: neither `mien run` nor `mien ingest` is running with this camera",
            None,
        )
    if row["state"] == CameraState.ENDED:
        return Condition.ENDED if over else Condition.NOT_RUNNING, row["reported_reason"], row["since"]
    if now - row["reported_at"] > REPORT_TIMEOUT_US:
        return (
            Condition.NOT_RUNNING,
            "No report for more than 20 s: neither `mien run` nor `mien ingest` is running",
            row["reported_at"],
        )
    if row["state"] in (CameraState.PAUSED, CameraState.NOT_SCHEDULED):
        return Condition.CONNECTING, "", row["since"]
    return Condition(row["state"]), row["reported_reason"], row["since"]


def _counts(connection: sa.Connection, begin: int) -> dict[str, Any]:
    minutes = tables.camera_minutes.c
    sums = ("captured", "unchanged", "analysed", "stale", "failed", "superseded", "age_sum_us")
    query = sa.select(minutes.camera_id, *(sa.func.sum(minutes[name]).label(name) for name in sums))
    rows = connection.execute(query.where(minutes.minute >= begin).group_by(minutes.camera_id)).mappings()
    return {row["camera_id"]: row for row in rows}


def _holders(connection: sa.Connection) -> dict[str, str]:
    """The processes that capture cameras, by camera."""
    leases = read_leases(connection, database_clock_us(connection))
    return {camera: lease.process for camera, lease in leases.items() if not lease.expired}


def _drops(connection: sa.Connection, begin: int) -> dict[str, dict[str, int]]:
    drops = tables.camera_drops.c
    query = sa.select(drops.camera_id, drops.reason, sa.func.sum(drops.frames)).where(drops.minute >= begin)
    result: dict[str, dict[str, int]] = {}
    for camera_id, reason, frames in connection.execute(query.group_by(drops.camera_id, drops.reason)):
        result.setdefault(camera_id, {})[reason] = int(frames)
    return result
