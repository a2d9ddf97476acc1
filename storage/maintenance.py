"""Periodic maintenance: delete expired rows, create day partitions, close abandoned visits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import day_partitions
from storage.day_partitions import DayPartition
from storage.retention import Retention, purge
from storage.versions import require_owner
from storage.writer import Writer

ABANDONED_US = 15 * MINUTE_US
"""An open visit without an update for so long has lost its worker."""


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """The number of deleted rows and the new day partitions by table, and the number of closed visits."""

    deleted: Mapping[str, int]
    created: Mapping[str, list[DayPartition]]
    closed: int


def maintain(
    engine: sa.Engine, retention: Retention, now_us: int, progress: Callable[[], None] = lambda: None
) -> MaintenanceReport:
    """Run all maintenance. Any number of processes may do so at any time, while others read and write.

    `progress` is called between transactions; what it raises ends the maintenance there.

    Raises:
        StorageError: the user does not own the tables.
        DatabaseUnavailable: the database is unavailable or in use for too long; call again later.
    """
    require_owner(engine)
    closed = Writer(engine).close_abandoned(now_us - ABANDONED_US)
    deleted = purge(engine, retention.cutoffs(now_us), progress)
    created = create_day_partitions(engine, now_us, progress)
    if not day_partitions.has_day_partitions(engine):
        # The statistics are rows of a table, so they are committed.
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA optimize")
    return MaintenanceReport(deleted, created, closed)


def create_day_partitions(
    engine: sa.Engine, now_us: int, progress: Callable[[], None] = lambda: None
) -> dict[str, list[DayPartition]]:
    """Create the day partitions that are missing, if the database has any; the new ones by table.

    `progress` and errors: see `maintain`.
    """
    times = day_partitions.PARTITION_COLUMNS if day_partitions.has_day_partitions(engine) else ()
    return {
        time.table.description: day_partitions.create_missing(engine, time, now_us, progress)
        for time in times
    }
