"""State of one partition of a reader: its position, its waiting records, the frames that it has seen."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from bus.codec import Headers, sequence_of
from bus.messages import Partition
from bus.transport import Record

_MAX_RUNS = 4096


class Deduplicator:
    """Recognises frames of a partition that come a second time or too late, by their sequence numbers.

    A producer that misses an acknowledgement sends the same frames again, and frames in the socket of a
    broker that hung come after newer frames, long after they were dropped. Within one run of a capture
    (camera and epoch) only a sequence number above all earlier ones is new. The last 4096 runs are kept.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[bytes, bytes], int] = {}

    def is_new(self, headers: Headers) -> bool:
        """Note a record; one without a valid sequence number is new, so that the worker rejects it."""
        found = sequence_of(headers)
        if found is None:
            return True
        run, seq = found
        last = self._last.pop(run, -1)
        self._last[run] = max(last, seq)
        if len(self._last) > _MAX_RUNS:
            del self._last[next(iter(self._last))]
        return seq > last


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
    deduplicator: Deduplicator = field(default_factory=Deduplicator)

    def add(self, record: Record) -> int:
        """Let a record wait if it is new; returns how many records before it Kafka deleted unread.

        A record before `next_fetch` is only noted, so that repetitions of it are recognised.
        """
        is_new = self.deduplicator.is_new(record.headers)
        if record.offset < self.next_fetch:
            return 0
        missing = record.offset - self.next_fetch
        self.next_fetch = record.offset + 1
        if is_new:
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
