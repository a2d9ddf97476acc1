"""Positions that move only from where their writer last saw them, so that of two writers one is stopped.

A write moves the positions of its partitions in its own transaction. A connection that breaks during the
commit leaves it open whether that happened; the same write, called again, then finds either the old
positions, and moves them, or the new ones, and knows that it is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import ModuleType

import sqlalchemy as sa

from bus.messages import Partition, Positions
from storage import tables
from storage.errors import Fenced


class Fence:
    """What one writer knows of the positions. Not thread-safe: one transaction at a time.

    Args:
        dialect: sqlalchemy's, of the database.
    """

    def __init__(self, dialect: ModuleType) -> None:
        new = dialect.insert(tables.offsets)
        self._move = new.on_conflict_do_update(
            index_elements=[tables.offsets.c.topic, tables.offsets.c.partition],
            set_={name: new.excluded[name] for name in ("next_offset", "written_at")},
            where=tables.offsets.c.next_offset == sa.bindparam("known", type_=sa.BigInteger),
        )
        self._known: dict[Partition, int] = {}
        self._committing: dict[Partition, int] = {}
        self._lost: set[Partition] = set()

    def read(self, connection: sa.Connection, partitions: Iterable[Partition]) -> Positions:
        """The stored positions of those partitions that have one: from here on they are known."""
        wanted = set(partitions)
        stored = _stored(connection, wanted)
        for partition in wanted:
            self._known.pop(partition, None)
            self._committing.pop(partition, None)
        self._lost -= wanted
        self._known |= stored
        return stored

    def known(self, partition: Partition) -> int:
        """The position that this writer last read or wrote, 0 where there is none."""
        return self._known.get(partition, 0)

    def move(self, connection: sa.Connection, positions: Positions) -> bool:
        """Move positions; False where this very move was committed before, unknown to the writer.

        A partition that was never read is taken for new, and so is one that is no longer in the database.

        Raises:
            Fenced: a position is not the one that is known.
        """
        if self._lost.isdisjoint(positions):
            moved = {each for each in sorted(positions) if self._move_one(connection, each, positions[each])}
            if moved == positions.keys():
                return True
            before = _stored(connection, positions) | {each: self._known.get(each) for each in moved}
            if before == positions and all(self._committing.get(p) == n for p, n in positions.items()):
                return False
        self._lost.update(positions)
        names = ", ".join(f"{partition.topic} {partition.number}" for partition in sorted(positions))
        raise Fenced(f"positions of {names}: were moved by another writer; nothing was stored")

    def committing(self, positions: Positions) -> None:
        """Take note that the transaction in which `positions` moved is about to be committed."""
        self._committing.update(positions)

    def confirm(self, positions: Positions) -> None:
        """Take note that `positions` are stored."""
        for partition in positions:
            self._committing.pop(partition, None)
        self._known.update(positions)

    def _move_one(self, connection: sa.Connection, partition: Partition, offset: int) -> bool:
        row = {
            "topic": partition.topic,
            "partition": partition.number,
            "next_offset": offset,
            "written_at": time.time_ns() // 1000,
            "known": self._known.get(partition),
        }
        done = connection.execute(self._move, row, execution_options={"preserve_rowcount": True})
        return done.rowcount == 1


def _stored(connection: sa.Connection, partitions: Iterable[Partition]) -> dict[Partition, int]:
    wanted = set(partitions)
    offsets = tables.offsets.c
    rows = connection.execute(
        sa.select(offsets.topic, offsets.partition, offsets.next_offset).where(
            offsets.topic.in_({partition.topic for partition in wanted})
        )
    )
    found = {Partition(topic, number): offset for topic, number, offset in rows}
    return {partition: found[partition] for partition in wanted & found.keys()}
