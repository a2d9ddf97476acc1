"""What a database needs every few hours: old rows out, days ahead in, visits closed that nobody continues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from bus.messages import MINUTE_US
from storage import partitions, tables
from storage.errors import StorageError
from storage.partitions import Day
from storage.retention import Retention, purge
from storage.versions import owns
from storage.writer import Writer

ABANDONED_US = 15 * MINUTE_US
"""A visit that was not continued for so long lost its worker."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What was done: rows `deleted` and days `made` by table, visits `closed`."""

    deleted: Mapping[str, int]
    made: Mapping[str, list[Day]]
    closed: int


def may_maintain(engine: sa.Engine) -> bool:
    """Whether the user may: on PostgreSQL the owner of the tables may, nobody else."""
    with engine.connect() as connection:
        return owns(connection, tables.visits.name)


def maintain(engine: sa.Engine, retention: Retention, now_us: int) -> Upkeep:
    """Do all of it; any number of processes may, at any time, beside those who read and write.

    Raises:
        StorageError: the user may not.
        storage.writer.OUTAGES: the database is away or in use for too long; call again later.
    """
    if not may_maintain(engine):
        raise StorageError("database: is maintained by its owner alone; run `mien db maintain` as the owner")
    closed = Writer(engine).close_abandoned(now_us - ABANDONED_US)
    deleted = purge(engine, retention.cutoffs(now_us))
    made: dict[str, list[Day]] = {}
    if partitions.are_used(engine):
        made = {t.table.description: partitions.make_days(engine, t, now_us) for t in partitions.TIMES}
    else:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA optimize")
    return Upkeep(deleted, made, closed)
