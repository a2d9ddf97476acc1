"""The contract between those who publish frames (captures) and those who read them (workers).

A transport has partitions. All frames of a camera travel through one partition, in order; a partition is
read by one reader at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bus.codec import Headers
from bus.messages import Frame, Partition, Positions

Resume = Callable[[Iterable[Partition]], Positions]
"""Returns the positions at which reading of newly assigned partitions starts, usually `ResultSink.positions`.
A partition without a position starts with the oldest record that still exists; the worker skips and counts
the frames that are too old."""

DROPPED_OLDEST = "buffer full"
"""The reason for a drop that every writer has: frames of the camera come faster than they can be sent."""


@dataclass(frozen=True, slots=True)
class Record:
    """One frame as it is on the bus, not yet decoded, so that a damaged one does not affect its batch.

    `appended_at` is the time at which the bus received it, by the clock of the bus (microseconds UTC); None
    where the bus keeps no such time. `clock_offset` is the clock of this process less that of the bus, in
    microseconds.
    """

    partition: Partition
    offset: int
    headers: Headers
    value: bytes
    appended_at: int | None = None
    clock_offset: int = 0

    def waited_us(self, now: int, captured_at: int) -> int:
        """How long the frame has waited on the bus at `now` of this process's clock.

        Only the clock of the bus matters. Without a time of the bus it is the time since the capture.
        """
        return now - self.clock_offset - (captured_at if self.appended_at is None else self.appended_at)

    def age_us(self, now: int, captured_at: int) -> int:
        """Time since the capture at `now` of this process's clock, by the clock of the bus; at least 0."""
        return max(now - self.clock_offset - captured_at, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one poll.

    `positions` are those after these records: store them in one transaction with the results. `revoked` are
    the partitions that this reader lost since the last poll: forget the state of their cameras and write no
    results of earlier records. `ended` is true once every record is stored and no more will come: all writers
    are closed or, for a reader that drains, everything published before the reader was created is stored.
    """

    records: tuple[Record, ...] = ()
    positions: Positions = field(default_factory=dict)
    revoked: frozenset[Partition] = frozenset()
    ended: bool = False


class FrameWriter(Protocol):
    """The publishing side of the bus."""

    def publish(self, frame: Frame) -> bool:
        """Hand over a frame without blocking, in bounded memory.

        False means that the oldest waiting frame of this camera was dropped; `take_drops` has counts and
        reasons.

        Raises:
            TransportClosed: after `close`.
        """

    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        """Wait until `publish` would drop no frame of this camera; False after `timeout` seconds.

        Back-pressure for sources that can wait, such as files; live captures do not call it.
        """

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """Frames of this camera dropped since the last call, by reason; each is reported exactly once."""

    def close(self) -> None:
        """Publish nothing more; waiting frames are still delivered.

        After a time-out, waiting frames are dropped and counted. Frames that were sent and not acknowledged
        are not: the worker that reads them counts them, if they arrived.
        """


class FrameReader(Protocol):
    """The reading side of the bus. Not thread-safe: one thread polls, acknowledges and closes."""

    def poll(self, limit: int, timeout: float) -> Batch:
        """Up to `limit` records, after at most `timeout` seconds; may be empty.

        Records of a camera come in the order in which they were published. No record comes twice unless the
        reader resumed at an earlier position.

        Raises:
            TransportClosed: after `close`.
        """

    def acknowledge(self, positions: Positions) -> None:
        """Report that everything before `positions` is stored; the transport need not keep it."""

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Continue at the sink's positions, in those partitions that this reader still has.

        For a fenced worker: records that it polled and could not store come again, unless the sink has them.

        Raises:
            SinkUnavailable: the sink's positions cannot be read at present.
        """

    def hold(self, timeout: float) -> None:
        """Wait `timeout` seconds without reading, and keep the partitions.

        Call it repeatedly instead of `poll` while results cannot be stored: a reader that is silent for
        minutes loses its partitions to another one.
        """

    def reject(self, record: Record, reason: str) -> None:
        """Put a record that can never be processed into the dead-letter queue, with the reason.

        Raises:
            BrokerUnavailable: it cannot be stored at present; call again. Until this succeeds, store and
                acknowledge no position after the record, or the record is lost.
        """

    def close(self) -> None:
        """Return the partitions. Records that were not acknowledged are delivered to the next reader."""
