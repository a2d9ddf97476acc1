"""Roll-ups of closed visits and coverage by local hour and day, kept by `storage.maintenance`.

A long period is read from them, so its cost does not depend on its visits. Hours are rolled up two hours
after their end. Rows that are stored later note their hour in `rollup_changes`, in the same transaction, and
the next maintenance rolls that hour up again. The roll-ups are those of one time zone; for another one they
are built again.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from common.timezones import open_timezone
from storage import tables
from storage.local_time import HOUR_US, date_of, dates, day_start, hour_edges, hour_start, to_local_time
from storage.sums import ALL_COLUMNS, Sums, read_coverage, read_scheduled_sums, read_visit_sums

SETTLED_US = 2 * HOUR_US
"""The age of an hour's end from which on it is rolled up."""

LATE_US = HOUR_US
"""The age from which on a row notes its hour when it is stored; less than `SETTLED_US`, so none is missed."""

_COVERAGE = slice(ALL_COLUMNS.index(tables.COVERAGE_SUMS[0]), None)
"""The places of the coverage in `ALL_COLUMNS`, at its end."""

_WATCHED, _SCHEDULED = (ALL_COLUMNS.index(name) for name in ("watched_us", "scheduled_us"))

_log = logging.getLogger(__name__)

_LOCK = 0x6D696572
_OFFSET_STEP_US = 28 * 24 * HOUR_US
"""Between two changes of a clock there are months."""

_Rows = dict[tuple[int, str], NDArray[np.float64]]
"""By hour and camera, the sums of `ALL_COLUMNS`."""


def roll_up(
    engine: sa.Engine, now_us: int, timezone: str, report: Callable[[date], None] = lambda _: None
) -> int:
    """Bring the roll-ups up to date, one local day in each transaction; the number of hours written.

    `report` is called with each day that is complete, between transactions; what it raises ends the work
    there. Any number of processes may call this.

    Raises DatabaseUnavailable while the database cannot be written.
    """
    zone = open_timezone(timezone)
    target = hour_start(now_us - SETTLED_US, zone)
    with engine.begin() as connection:
        until = _prepare(connection, zone)
    written = 0
    if until is None:
        return written
    for day in dates(date_of(until, zone), date_of(max(target, until), zone)):
        with engine.begin() as connection:
            written += _advance(connection, day, target, now_us, zone)
        report(day)
    return written + _repeat_changed(engine, zone, report)


def read_until(connection: sa.Connection, timezone: str) -> tuple[int, int]:
    """The times before which hours and days are rolled up in a time zone; 0 for none."""
    state = tables.rollup_state.c
    rows = connection.execute(sa.select(state.level, state.until).where(state.timezone == timezone)).all()
    found = {row.level: row.until for row in rows}
    return found.get("hour", 0), found.get("day", 0)


def read_hours_until(connection: sa.Connection, zone: ZoneInfo, start: int, end: int) -> int:
    """The time before which there are hours of a period that are hours of `zone`, too; 0 for none.

    Where all offsets are full hours, the hours of one time zone are those of every other one.
    """
    state = tables.rollup_state.c
    row = connection.execute(sa.select(state.timezone, state.until).where(state.level == "hour")).first()
    if row is None:
        return 0
    if row.timezone != zone.key:
        zones = zone, open_timezone(row.timezone)
        if not all(_has_full_hours(each, start, end) for each in zones):
            return 0
    return int(row.until)


def late_hours(times: Iterable[int], now_us: int) -> set[int]:
    """The UTC hours of those times that are so old that their hour may be rolled up already."""
    return {time - time % HOUR_US for time in times if time < now_us - LATE_US}


def _has_full_hours(zone: ZoneInfo, start: int, end: int) -> bool:
    return not any(
        (to_local_time(time, zone) - time) % HOUR_US for time in (*range(start, end, _OFFSET_STEP_US), end)
    )


def _prepare(connection: sa.Connection, zone: ZoneInfo) -> int | None:
    """Start again where the time zone has changed; the time to continue at, None where there are no rows."""
    _lock(connection)
    hour_until, _ = read_until(connection, zone.key)
    if hour_until:
        return hour_until
    first = _first_time(connection)
    if first is None:
        return None
    former = connection.scalar(sa.select(tables.rollup_state.c.timezone).limit(1))
    if former is not None and former != zone.key:
        _log.warning(
            "roll-ups are built again for the time zone %s instead of %s: days whose minutes are deleted "
            "lose their coverage. Every process needs the same setting timezone",
            zone.key,
            former,
        )
    for table in (tables.camera_hours, tables.camera_days, tables.rollup_state, tables.rollup_changes):
        connection.execute(sa.delete(table))
    start = day_start(date_of(first, zone), zone)
    connection.execute(
        sa.insert(tables.rollup_state),
        [{"level": level, "timezone": zone.key, "until": start} for level in ("hour", "day")],
    )
    return start


def _first_time(connection: sa.Connection) -> int | None:
    oldest = (
        sa.select(sa.func.min(tables.visits.c.first_seen)),
        sa.select(sa.func.min(tables.camera_minutes.c.minute)),
    )
    times = [time for query in oldest if (time := connection.scalar(query)) is not None]
    return min(times, default=None)


def _advance(connection: sa.Connection, day: date, target: int, now_us: int, zone: ZoneInfo) -> int:
    """Roll up the complete hours of a day that are missing, and the day once all its hours are."""
    _lock(connection)
    hour_until, day_until = read_until(connection, zone.key)
    if not hour_until:  # Another process has just built the roll-ups of another time zone.
        return 0
    edges = hour_edges(day, zone)
    missing = [edge for edge in edges if max(edges[0], hour_until) <= edge <= target]
    written = 0
    if len(missing) > 1:
        written = _store_hours(connection, missing, _sum_hours(connection, missing, now_us, zone))
        _set_until(connection, "hour", missing[-1])
    if edges[-1] <= target and day_until <= edges[0]:
        _store_day(connection, edges[0], edges[-1])
        _set_until(connection, "day", edges[-1])
    return written


def _repeat_changed(engine: sa.Engine, zone: ZoneInfo, report: Callable[[date], None]) -> int:
    """Roll up again the local days of the hours of which rows were stored late."""
    changes = tables.rollup_changes
    with engine.connect() as connection:
        hours = connection.scalars(sa.select(changes.c.hour).order_by(changes.c.hour)).all()
    by_day: defaultdict[date, list[int]] = defaultdict(list)
    for hour in hours:
        by_day[date_of(hour, zone)].append(hour)
    written = 0
    for day, changed in by_day.items():
        with engine.begin() as connection:
            written += _repeat_hours(connection, changed, zone)
        report(day)
    return written


def _repeat_hours(connection: sa.Connection, hours: Iterable[int], zone: ZoneInfo) -> int:
    """Roll up again the local days that contain a part of one of these UTC hours."""
    _lock(connection)
    hour_until, day_until = read_until(connection, zone.key)
    if not hour_until:  # Another process has just built the roll-ups of another time zone.
        return 0
    changed = [hour for hour in _take_changes(connection, hours) if hour < hour_until]
    # Where the offset is not of full hours, the hour of midnight is in two days.
    days = sorted({date_of(time, zone) for hour in changed for time in (hour, hour + HOUR_US - 1)})
    return sum(_repeat_day(connection, day, hour_until, day_until, zone) for day in days)


def _take_changes(connection: sa.Connection, hours: Iterable[int]) -> list[int]:
    """Delete the notes of these hours and return the hours, before any row of theirs is read.

    A writer that has noted one of them is waited for, so what it stored is read; one that comes later notes
    its hour again. Notes are locked in the order in which writers lock them, so nobody waits in a circle.
    """
    hour = tables.rollup_changes.c.hour
    noted = sa.select(hour).where(hour.in_(list(hours))).order_by(hour).with_for_update()
    found = list(connection.scalars(noted))
    connection.execute(sa.delete(tables.rollup_changes).where(hour.in_(found)))
    return found


def _repeat_day(connection: sa.Connection, day: date, hour_until: int, day_until: int, zone: ZoneInfo) -> int:
    edges = [edge for edge in hour_edges(day, zone) if edge <= hour_until]
    if len(edges) < 2:
        return 0
    _store_hours(connection, edges, _sum_again(connection, edges[0], edges[-1]))
    if edges[0] < day_until:
        _store_day(connection, edges[0], edges[-1])
    return len(edges) - 1


def _sum_hours(connection: sa.Connection, edges: list[int], now_us: int, zone: ZoneInfo) -> _Rows:
    """The sums of the hours between neighbouring edges, from single visits and minutes."""
    start, end = edges[0], edges[-1]
    coverage = read_coverage(connection, start, end, HOUR_US)
    return _merge(
        (
            read_visit_sums(connection, start, end, HOUR_US, which="closed"),
            coverage.sums,
            read_scheduled_sums(connection, edges, now_us, zone, coverage),
        )
    )


def _sum_again(connection: sa.Connection, start: int, end: int) -> _Rows:
    """The sums of hours from `start` to `end` that were rolled up before.

    Late rows only add to the coverage, so where it is smaller than before, retention has deleted minutes and
    the stored coverage stays. The scheduled time stays as well, since the registry tells only how cameras are
    scheduled now; it is at least the watched time.
    """
    merged = _merge(
        (
            read_visit_sums(connection, start, end, HOUR_US, which="closed"),
            read_coverage(connection, start, end, HOUR_US).sums,
        )
    )
    for key, coverage in _read_coverage(connection, start, end).items():
        row = merged.setdefault(key, np.zeros(len(ALL_COLUMNS)))
        row[_COVERAGE] = np.maximum(row[_COVERAGE], coverage)
    for row in merged.values():
        row[_SCHEDULED] = max(row[_SCHEDULED], row[_WATCHED])
    return merged


def _read_coverage(connection: sa.Connection, start: int, end: int) -> _Rows:
    """The stored coverage by hour and camera, the sums of `COVERAGE_SUMS` alone."""
    hours = tables.camera_hours.c
    columns = [hours[name] for name in tables.COVERAGE_SUMS]
    query = sa.select(hours.hour, hours.camera_id, *columns).where(hours.hour >= start, hours.hour < end)
    return {(row[0], row[1]): np.asarray(row[2:], np.float64) for row in connection.execute(query)}


def _store_hours(connection: sa.Connection, edges: list[int], sums: _Rows) -> int:
    """Replace the rows of the hours between neighbouring edges, all of one day; the number of hours."""
    rows = [{"hour": hour, "camera_id": camera, **_typed(values)} for (hour, camera), values in sums.items()]
    hours = tables.camera_hours
    connection.execute(sa.delete(hours).where(hours.c.hour >= edges[0], hours.c.hour < edges[-1]))
    if rows:
        connection.execute(sa.insert(hours), rows)
    return len(edges) - 1


def _merge(parts: Iterable[Sums]) -> _Rows:
    merged: _Rows = {}
    for part in parts:
        places = [ALL_COLUMNS.index(name) for name in part.columns]
        for start, camera, values in zip(part.starts.tolist(), part.cameras, part.values, strict=True):
            row = merged.setdefault((start, camera), np.zeros(len(ALL_COLUMNS)))
            row[places] += values
    return merged


def _typed(values: Any) -> dict[str, float | int]:
    return {
        name: value if name in tables.VISIT_SUMS else round(value)
        for name, value in zip(ALL_COLUMNS, values.tolist(), strict=True)
    }


def _store_day(connection: sa.Connection, start: int, end: int) -> None:
    """Replace the rows of a day by the sums of its hours."""
    days, hours = tables.camera_days, tables.camera_hours
    connection.execute(sa.delete(days).where(days.c.day >= start, days.c.day < end))
    sums = sa.select(
        sa.literal(start), hours.c.camera_id, *(sa.func.sum(hours.c[name]) for name in ALL_COLUMNS)
    ).where(hours.c.hour >= start, hours.c.hour < end)
    connection.execute(
        sa.insert(days).from_select(("day", "camera_id", *ALL_COLUMNS), sums.group_by(hours.c.camera_id))
    )


def _set_until(connection: sa.Connection, level: str, until: int) -> None:
    state = tables.rollup_state
    connection.execute(sa.update(state).where(state.c.level == level).values(until=until))


def _lock(connection: sa.Connection) -> None:
    """Let one process roll up at a time; on SQLite a transaction that writes is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
