"""Comparison of the roll-ups by hour and day with the rows that they are sums of."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from common.timezones import open_timezone
from storage import tables
from storage.local_time import HOUR_US, date_of, dates, day_start
from storage.sums import ALL_COLUMNS, VISIT_COLUMNS, read_visit_sums

_ROUNDING = 1e-6
"""The largest relative difference of two sums of the same values in another order."""

Cells = dict[tuple[int, str], NDArray[np.float64]]
"""The sums of visits, (VISIT_COLUMNS,), by the start of the hour and the camera."""


def count_wrong_hours(connection: sa.Connection) -> int:
    """Hours of a camera whose roll-up differs from the closed visits, as far as these are still stored.

    Hours that wait to be rolled up again are left out, and the days of the oldest visits, of which retention
    may have deleted a part.
    """
    zone, until = _read_state(connection)
    oldest = connection.scalar(sa.select(sa.func.min(tables.visits.c.first_seen)))
    if zone is None or oldest is None:
        return 0
    first = date_of(oldest, zone) + timedelta(days=2)
    return sum(_count_wrong(connection, day, until, zone) for day in dates(first, date_of(until - 1, zone)))


def count_wrong_days(connection: sa.Connection) -> int:
    """Days of a camera whose roll-up differs from the sum of its hours.

    A day that starts before the oldest hour is left out. Retention ends at a midnight of UTC, mostly within a
    local day: it deletes the row of that day, and some of its hours remain.
    """
    zone, _ = _read_state(connection)
    if zone is None:
        return 0
    none = np.zeros(len(ALL_COLUMNS))
    wrong = 0
    for start, end in _rolled_up_days(connection, zone):
        stored, expected = _read_day(connection, start), _sum_hours(connection, start, end)
        cameras = stored.keys() | expected.keys()
        wrong += sum(not _is_near(stored.get(each, none), expected.get(each, none)) for each in cameras)
    return wrong


def _read_state(connection: sa.Connection) -> tuple[ZoneInfo | None, int]:
    """The time zone of the roll-ups, None where there are none, and the time until which there are hours."""
    state = tables.rollup_state.c
    row = connection.execute(sa.select(state.timezone, state.until).where(state.level == "hour")).first()
    return (open_timezone(row.timezone), row.until) if row else (None, 0)


def _count_wrong(connection: sa.Connection, day: date, until: int, zone: ZoneInfo) -> int:
    start, end = day_start(day, zone), min(day_start(day + timedelta(days=1), zone), until)
    if start >= end:
        return 0
    changes = tables.rollup_changes.c.hour
    waiting = connection.scalars(sa.select(changes).where(changes > start - HOUR_US, changes < end)).all()
    expected = _read_expected(connection, start, end)
    stored = _read_stored(connection, start, end)
    none = np.zeros(len(VISIT_COLUMNS))
    return sum(
        not _is_near(stored.get(key, none), expected.get(key, none))
        for key in stored.keys() | expected.keys()
        if not any(abs(key[0] - hour) < HOUR_US for hour in waiting)
    )


def _read_expected(connection: sa.Connection, start: int, end: int) -> Cells:
    sums = read_visit_sums(connection, start, end, HOUR_US, which="closed")
    keys = zip(sums.starts.tolist(), sums.cameras, strict=True)
    return dict(zip(keys, sums.values, strict=True))


def _read_stored(connection: sa.Connection, start: int, end: int) -> Cells:
    hours = tables.camera_hours.c
    columns = [hours[name] for name in VISIT_COLUMNS]
    query = sa.select(hours.hour, hours.camera_id, *columns).where(hours.hour >= start, hours.hour < end)
    return {(row[0], row[1]): np.asarray(row[2:], np.float64) for row in connection.execute(query)}


def _rolled_up_days(connection: sa.Connection, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Start and end of each local day from the oldest hour on that has hours or a roll-up of its own."""
    days, hours, state = tables.camera_days.c.day, tables.camera_hours.c.hour, tables.rollup_state.c
    until = connection.scalar(sa.select(state.until).where(state.level == "day")) or 0
    times = {
        *connection.scalars(sa.select(hours).where(hours < until).distinct()),
        *connection.scalars(sa.select(days).distinct()),
    }
    oldest = connection.scalar(sa.select(sa.func.min(hours))) or 0
    found = sorted({date_of(time, zone) for time in times})
    limits = [(day_start(day, zone), day_start(day + timedelta(days=1), zone)) for day in found]
    return [(start, end) for start, end in limits if start >= oldest]


def _read_day(connection: sa.Connection, start: int) -> dict[str, NDArray[np.float64]]:
    days = tables.camera_days.c
    query = sa.select(days.camera_id, *(days[name] for name in ALL_COLUMNS)).where(days.day == start)
    return {row[0]: np.asarray(row[1:], np.float64) for row in connection.execute(query)}


def _sum_hours(connection: sa.Connection, start: int, end: int) -> dict[str, NDArray[np.float64]]:
    hours = tables.camera_hours.c
    query = (
        sa.select(hours.camera_id, *(sa.func.sum(hours[name]) for name in ALL_COLUMNS))
        .where(hours.hour >= start, hours.hour < end)
        .group_by(hours.camera_id)
    )
    return {row[0]: np.asarray(row[1:], np.float64) for row in connection.execute(query)}


def _is_near(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(np.allclose(one, other, rtol=_ROUNDING, atol=_ROUNDING))
