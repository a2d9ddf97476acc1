"""Counts of rejected records by camera, UTC hour and reason, in both modes, without any part of a record."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bus.messages import Partition
from common.clock import wall_clock_us
from common.log_lines import one_line
from common.redaction import redact
from storage import tables
from storage.local_time import HOUR_US

REASON_LENGTH = 100
_NUMBER = re.compile(r"\d+")


class DeadLetterCounts:
    """Counts the records that one reader rejects, each once, also where a rejection is tried again."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._insert = (postgresql if engine.dialect.name == "postgresql" else sqlite).insert
        self._last: dict[Partition, int] = {}

    def count(self, partition: Partition, offset: int, camera_id: str, reason: str) -> None:
        """Count one record; `camera_id` is empty where it names no valid one.

        Raises DatabaseUnavailable while the database cannot be written; call again then.
        """
        if self._last.get(partition) == offset:
            return
        now = wall_clock_us()
        row = {"hour": now - now % HOUR_US, "camera_id": camera_id, "reason": generalise(reason)}
        table = tables.dead_letters
        new = self._insert(table).values(**row, records=1)
        with self._engine.begin() as connection:
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=list(table.primary_key), set_={"records": table.c.records + 1}
                )
            )
        self._last[partition] = offset


def generalise(reason: str) -> str:
    """The kind of a reason: without the numbers, names and secrets of one record."""
    text = redact(one_line(reason)).encode("ascii", "replace").decode()
    return _NUMBER.sub("N", text)[:REASON_LENGTH]


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The number of records of one camera that were rejected for one reason in a period."""

    camera_id: str
    reason: str
    records: int


def read_dead_letters(
    engine: sa.Engine, start: int, end: int, cameras: frozenset[str] | None = None
) -> list[DeadLetters]:
    """Rejected records in the UTC hours that overlap a period, the most frequent ones first.

    With `cameras` only theirs; records without a valid camera are only listed without it.

    Raises DatabaseError where the database cannot be read.
    """
    table = tables.dead_letters.c
    records = sa.func.sum(table.records)
    query = (
        sa.select(table.camera_id, table.reason, records)
        .where(table.hour >= start - start % HOUR_US, table.hour < end)
        .group_by(table.camera_id, table.reason)
        .order_by(records.desc(), table.camera_id, table.reason)
    )
    if cameras is not None:
        query = query.where(table.camera_id.in_(sorted(cameras)))
    with engine.connect() as connection:
        return [
            DeadLetters(camera, reason, int(count)) for camera, reason, count in connection.execute(query)
        ]
