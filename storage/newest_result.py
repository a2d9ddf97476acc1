"""The time of the newest stored result: how fresh the figures are."""

from __future__ import annotations

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import tables
from storage.day_partitions import DAY_US, start_of_day

FUTURE_US = MINUTE_US
"""A time that is further ahead of the clock than this comes from a wrong clock."""


def is_future(time_us: int, now_us: int) -> bool:
    """Whether a stored time can only come from a wrong clock."""
    return time_us > now_us + FUTURE_US


def read_newest_result(engine: sa.Engine, cameras: frozenset[str] | None = None) -> int | None:
    """The capture time of the newest stored result of `cameras`, None for all, in UTC microseconds.

    None without results.

    Frames are stored as counts by minute. Without a newer visit the time is the start of the newest minute
    plus its watched time, which is never too late, and too early by less than a minute.

    Raises DatabaseError where the database cannot be read.
    """
    visits, minutes = tables.visits.c, tables.camera_minutes.c
    of_cameras = visits.camera_id.in_(cameras) if cameras is not None else sa.true()
    minutes_of = minutes.camera_id.in_(cameras) if cameras is not None else sa.true()
    last_seen = sa.select(sa.func.max(visits.last_seen)).where(of_cameras)
    newest_minute = (
        sa.select(minutes.minute, sa.func.max(minutes.watched_us).label("watched_us"))
        .where(minutes.analysed > 0, minutes_of)
        .group_by(minutes.minute)
        .order_by(minutes.minute.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        minute = connection.execute(newest_minute).first()
        # A newer visit started on one of these days; the condition limits the query to a few day partitions.
        since = visits.first_seen >= (start_of_day(minute.minute) - DAY_US if minute else 0)
        # Two queries, since each reads one end of the index visits_open.
        times = [
            connection.scalar(last_seen.where(closed, since)) for closed in (visits.closed, ~visits.closed)
        ]
    if minute:
        times.append(minute.minute + min(minute.watched_us, MINUTE_US))
    return max((time for time in times if time is not None), default=None)
