"""Fencing by positions: a write succeeds only if the stored positions are those its writer last saw.

A write moves the positions of its partitions in its own transaction, so of two writers of one partition the
second is fenced. If a connection breaks during the commit, the outcome is unknown: the same write, called
again, finds either the old positions and moves them, or the new ones and is complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import sqlalchemy as sa

from bus.messages import Partition, Positions
from common.clock import wall_clock_us
from storage import tables
from storage.errors import Fenced


class Fence:
    """The positions that one writer last read or wrote. Not thread-safe: one transaction at a time.

    Args:
        dialect: SQLAlchemy's module for the database.
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
        self._fenced: set[Partition] = set()

    def read(self, connection: sa.Connection, partitions: Iterable[Partition]) -> Positions:
        """Read the positions of those partitions that have one; this ends their fencing."""
        wanted = set(partitions)
        stored = _stored(connection, wanted)
        for partition in wanted:
            self._known.pop(partition, None)
            self._committing.pop(partition, None)
        self._fenced -= wanted
        self._known |= stored
        return stored

    def last_known(self, partition: Partition) -> int:
        """The position that this writer last read or wrote, 0 where there is none."""
        return self._known.get(partition, 0)

    def move(self, connection: sa.Connection, positions: Positions) -> bool:
        """Move positions; False where an earlier attempt of unknown outcome did so.

        A partition counts as new if it was never read or is no longer in the database.

        Raises:
            Fenced: a stored position is not the last known one.
        """
        if self._fenced.isdisjoint(positions):
            moved = {each for each in sorted(positions) if self._move_one(connection, each, positions[each])}
            if moved == positions.keys():
                return True
            before = _stored(connection, positions) | {each: self._known.get(each) for each in moved}
            if before == positions and all(self._committing.get(p) == n for p, n in positions.items()):
                return False
        self.refuse(positions)
        names = ", ".join(f"{partition.topic} {partition.number}" for partition in sorted(positions))
        raise Fenced(f"positions of {names}: another writer moved them; nothing was stored")

    def refuse(self, partitions: Iterable[Partition]) -> None:
        """Refuse these partitions until their positions are read again."""
        self._fenced.update(partitions)

    def note_committing(self, positions: Positions) -> None:
        """Record that the commit of `positions` is about to start."""
        self._committing.update(positions)

    def note_committed(self, positions: Positions) -> None:
        """Record that `positions` are stored."""
        for partition in positions:
            self._committing.pop(partition, None)
        self._known.update(positions)

    def _move_one(self, connection: sa.Connection, partition: Partition, offset: int) -> bool:
        row = {
            "topic": partition.topic,
            "partition": partition.number,
            "next_offset": offset,
            "written_at": wall_clock_us(),
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
