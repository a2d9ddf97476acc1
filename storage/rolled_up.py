"""Up to which time the roll-ups say of which hours and days a camera has rows.

There is no index of rows by camera, because it would cost more with each write than it saves. So the first
or last row of a camera is found quickly only where its day is known. A camera without rows has no such day.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from storage import tables
from storage.day_partitions import DAY_US
from storage.local_time import HOUR_US

LOCAL_DAY_US = DAY_US + HOUR_US
"""The longest local day: the one on which the clock is set back."""


class RolledUp(NamedTuple):
    """The times before which the roll-ups by hour and by day contain every row; 0 for none."""

    hours: int
    days: int


def read_rolled_up(connection: sa.Connection) -> RolledUp:
    """Up to when rows are rolled up, and none was stored later that is not."""
    state = tables.rollup_state.c
    until = {row.level: int(row.until) for row in connection.execute(sa.select(state.level, state.until))}
    changed = connection.scalar(sa.select(sa.func.min(tables.rollup_changes.c.hour)))
    hours, days = until.get("hour", 0), until.get("day", 0)
    return RolledUp(hours, days) if changed is None else RolledUp(min(hours, changed), min(days, changed))
