"""The time of the newest stored result: how fresh the figures are.

Only the roll-ups know at once that cameras have had no result for long. Without them, a query for the newest
rows of such cameras would read the rows of all cameras back to their last one, or all rows of the database.
"""

from __future__ import annotations

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import tables
from storage.day_partitions import DAY_US, start_of_day
from storage.local_time import HOUR_US
from storage.rolled_up import LOCAL_DAY_US, RolledUp, read_rolled_up

FUTURE_US = MINUTE_US
"""A time that is further ahead of the clock than this comes from a wrong clock."""

Cameras = frozenset[str] | None


def is_future(time_us: int, now_us: int) -> bool:
    """Whether a stored time can only come from a wrong clock."""
    return time_us > now_us + FUTURE_US


def read_newest_result(engine: sa.Engine, cameras: Cameras = None) -> int | None:
    """The capture time of the newest stored result of `cameras`, None for all, in UTC microseconds.

    None without results.

    Frames are stored as counts by minute. Without a newer visit the time is the start of the newest minute
    plus its watched time, which is never too late, and too early by less than a minute. So is that of a
    result of hours that are rolled up.

    Raises DatabaseError where the database cannot be read.
    """
    if cameras is not None and not cameras:
        return None
    with engine.connect() as connection:
        rolled_up = read_rolled_up(connection)
        newest = _read_recent(connection, cameras, rolled_up.hours)
        return newest if newest is not None else _read_older(connection, cameras, rolled_up)


def _read_recent(connection: sa.Connection, cameras: Cameras, since: int) -> int | None:
    """The newest result from `since` on."""
    minute = _read_newest_minute(connection, cameras, since)
    visits = tables.visits.c
    later = [
        visits.last_seen >= (since if minute is None else minute),
        # A visit is no longer than a day; the condition limits the query to a few day partitions.
        visits.first_seen >= start_of_day(since if minute is None else minute) - DAY_US,
        *_of(cameras, visits.camera_id),
    ]
    # Two queries, since each reads one end of the index visits_open.
    times = [
        connection.scalar(sa.select(sa.func.max(visits.last_seen)).where(closed, *later))
        for closed in (visits.closed, ~visits.closed)
    ]
    return max((time for time in (minute, *times) if time is not None), default=None)


def _read_older(connection: sa.Connection, cameras: Cameras, rolled_up: RolledUp) -> int | None:
    """The newest result of the hours that are rolled up: of the last day and hour that has one."""
    hours, days = tables.camera_hours.c.hour, tables.camera_days.c.day
    hour = _read_last(connection, hours, cameras, rolled_up.days)
    if hour is None:
        day = _read_last(connection, days, cameras, 0)
        if day is not None:
            hour = _read_last(connection, hours, cameras, day, day + LOCAL_DAY_US)
    if hour is None:
        return None
    minute = _read_newest_minute(connection, cameras, hour, hour + HOUR_US)
    if minute is not None:
        return minute
    # The counts by minute may be deleted earlier than the visits.
    visits = tables.visits.c
    started = visits.first_seen.between(hour, hour + HOUR_US)
    query = sa.select(sa.func.max(visits.last_seen)).where(started, *_of(cameras, visits.camera_id))
    last_seen: int | None = connection.scalar(query)
    return last_seen


def _read_newest_minute(
    connection: sa.Connection, cameras: Cameras, start: int, end: int | None = None
) -> int | None:
    """The end of what was watched in the newest minute with results, from `start` to before `end`."""
    minutes = tables.camera_minutes.c
    newest = (
        sa.select(minutes.minute, sa.func.max(minutes.watched_us).label("watched_us"))
        .where(minutes.analysed > 0, *_within(minutes.minute, start, end), *_of(cameras, minutes.camera_id))
        .group_by(minutes.minute)
        .order_by(minutes.minute.desc())
        .limit(1)
    )
    found = connection.execute(newest).first()
    return None if found is None else int(found.minute + min(found.watched_us, MINUTE_US))


def _read_last(
    connection: sa.Connection, time: sa.Column[int], cameras: Cameras, start: int, end: int | None = None
) -> int | None:
    """The last of the `time`s of a roll-up, from `start` to before `end`, with a result of the cameras."""
    rollup = time.table.c
    has_results = (rollup.analysed > 0) | (rollup.visits > 0)
    last = sa.select(sa.func.max(time)).where(has_results, *_within(time, start, end))
    return connection.scalar(last.where(*_of(cameras, rollup.camera_id)))


def _within(time: sa.Column[int], start: int, end: int | None) -> list[sa.ColumnElement[bool]]:
    return [time >= start, *([time < end] if end is not None else [])]


def _of(cameras: Cameras, camera_id: sa.Column[str]) -> list[sa.ColumnElement[bool]]:
    return [camera_id.in_(sorted(cameras))] if cameras is not None else []
