"""State of one partition of a reader: its position and its waiting records."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bus.messages import Partition
from bus.transport import Record


@dataclass(slots=True)
class PartitionState:
    """One partition that is assigned to a reader. All numbers are offsets of a next record.

    `next_fetch`: the next record to take from the client. `stored`: the next record that the sink does not
    have. `last_reported`: the position in the last batch. `drain_until`: the end for a reader that drains.
    """

    partition: Partition
    next_fetch: int
    stored: int
    last_reported: int
    drain_until: int
    waiting: deque[Record] = field(default_factory=deque)

    def add(self, record: Record) -> int:
        """Let a record wait; returns how many records before it Kafka deleted unread."""
        if record.offset < self.next_fetch:
            return 0
        missing = record.offset - self.next_fetch
        self.next_fetch = record.offset + 1
        self.waiting.append(record)
        return missing

    @property
    def next_position(self) -> int:
        """The offset of the next record to deliver."""
        return self.waiting[0].offset if self.waiting else self.next_fetch

    @property
    def is_drained(self) -> bool:
        """Whether everything before `drain_until` is stored."""
        return self.stored >= self.drain_until and not self.waiting
