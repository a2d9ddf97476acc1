"""Scheduled time: when a camera should have watched, so that gaps can be told from closed shops.

A camera is scheduled in its open hours, from its registration (or its first coverage) until its recording
was over or until now, except in its pauses. Time in which it watched counts as scheduled as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from bus.messages import minute_of
from storage import tables
from storage.camera_status import is_over
from storage.local_time import date_of, dates
from storage.open_hours import open_intervals
from storage.pauses import read_pauses

SETTLING_US = 5_000_000
"""Frames of the last seconds may not be stored yet, so this time is not scheduled yet."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """When a registered camera should watch: from `begin` to `finish`, in its open hours, not in pauses."""

    camera_id: str
    begin: int
    finish: int
    open_hours: str
    pauses: Sequence[tuple[int, int]]


def read_scheduled(
    connection: sa.Connection, start: int, end: int, now: int, first_watched: Mapping[str, int]
) -> list[Scheduled]:
    """The schedule of every registered camera, with its pauses between `start` and `end`.

    `first_watched` has first minutes of coverage, by camera.
    """
    cameras, states = tables.cameras.c, tables.camera_states.c
    rows = connection.execute(
        sa.select(
            cameras.id,
            cameras.created_at,
            cameras.open_hours,
            cameras.source,
            states.state,
            states.reason,
            states.since,
        ).outerjoin_from(tables.cameras, tables.camera_states, cameras.id == states.camera_id)
    )
    pauses = read_pauses(connection, start, end)
    result = []
    for row in rows:
        first = first_watched.get(row.id, row.created_at)
        begin = first if first < minute_of(row.created_at) else row.created_at
        finish = now - SETTLING_US
        if is_over(row.source, row.state, row.reason):
            finish = min(finish, row.since)
        result.append(Scheduled(row.id, begin, finish, row.open_hours, pauses.get(row.id, ())))
    return result


def scheduled_time(
    cameras: Sequence[Scheduled], edges: Sequence[int], zone: ZoneInfo
) -> dict[str, NDArray[np.float64]]:
    """The scheduled microseconds of each camera in each slot between neighbouring `edges`."""
    opened: dict[str, NDArray[np.int64]] = {}
    points = np.asarray(edges, np.int64)
    result = {}
    for camera in cameras:
        if camera.open_hours not in opened:
            days = dates(date_of(edges[0], zone), date_of(edges[-1] - 1, zone)) if camera.open_hours else []
            pairs = [pair for day in days for pair in open_intervals(camera.open_hours, day, zone)]
            opened[camera.open_hours] = np.asarray(pairs, np.int64).reshape(-1, 2)
        intervals = opened[camera.open_hours]
        if not camera.open_hours:
            intervals = np.asarray([(edges[0], edges[-1])], np.int64)
        limited = np.clip(intervals, camera.begin, max(camera.finish, camera.begin))
        before = _time_before(limited, points)
        for begin, finish in camera.pauses:
            until_finish = _time_before(limited, np.minimum(points, finish))
            before -= until_finish - _time_before(limited, np.minimum(points, begin))
        result[camera.camera_id] = np.diff(before)
    return result


def _time_before(intervals: NDArray[np.int64], points: NDArray[np.int64]) -> NDArray[np.float64]:
    """How much of all intervals is before each point; intervals are in order and do not overlap."""
    lengths = intervals[:, 1] - intervals[:, 0]
    full = np.concatenate([[0], np.cumsum(lengths)])
    index = np.searchsorted(intervals[:, 0], points, side="right")
    last = np.maximum(index - 1, 0)
    if not len(intervals):
        return np.zeros(len(points))
    beyond = np.minimum(np.maximum(points - intervals[last, 0], 0), lengths[last])
    return np.where(index > 0, full[last] + beyond, 0).astype(np.float64)
