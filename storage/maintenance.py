"""What a database needs every few hours: old rows out, days ahead in, visits closed that nobody continues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import partitions
from storage.partitions import Day
from storage.retention import Retention, purge
from storage.versions import require_owner
from storage.writer import Writer

ABANDONED_US = 15 * MINUTE_US
"""A visit that was not continued for so long lost its worker."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done: rows `deleted` and days `made` by table, visits `closed`."""

    deleted: Mapping[str, int]
    made: Mapping[str, list[Day]]
    closed: int


def maintain(engine: sa.Engine, retention: Retention, now_us: int) -> Upkeep:
    """Do all of it; any number of processes may, at any time, beside those who read and write.

    Raises:
        StorageError: the user does not own the tables.
        storage.writer.OUTAGES: the database is away or in use for too long; call again later.
    """
    require_owner(engine)
    closed = Writer(engine).close_abandoned(now_us - ABANDONED_US)
    deleted = purge(engine, retention.cutoffs(now_us))
    made = make_days(engine, now_us)
    if not partitions.are_used(engine):
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA optimize")
    return Upkeep(deleted, made, closed)


def make_days(engine: sa.Engine, now_us: int) -> dict[str, list[Day]]:
    """Make the partitions that are missing, where there are partitions; those made, by table.

    Raises as `maintain` does.
    """
    times = partitions.TIMES if partitions.are_used(engine) else ()
    return {time.table.description: partitions.make_days(engine, time, now_us) for time in times}
