"""The obligations between those who capture frames and those who analyse them.

A transport has partitions. All frames of a camera travel through one partition, in order; a partition
is read by one reader at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bus.messages import Frame, Partition, Positions

Resume = Callable[[Iterable[Partition]], Positions]
"""Asked on assignment: where to go on. A partition that is missing in the answer begins with the oldest
record that is still there: what is too old by then is for the worker to skip and to count."""

DROPPED_OLDEST = "buffer full"
"""The reason for a drop that every writer knows: the camera's frames came quicker than they left."""


@dataclass(frozen=True, slots=True)
class Record:
    """One frame as it lies on the bus: not decoded yet, so that a bad one can be told from its batch."""

    partition: Partition
    offset: int
    headers: Mapping[str, bytes]
    value: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought.

    `positions` hold for the state after these records: whoever stores the results stores them in the
    same transaction. `revoked` lists partitions that this reader lost since the last poll: the state of
    their cameras is to be forgotten, the results of records before them are not to be written any more.
    `ended` is true once nothing more will come and all is stored, never before: every writer has closed, or,
    where writers are not known, everything that was published before a reader that drains was made is stored.
    """

    records: tuple[Record, ...] = ()
    positions: Positions = field(default_factory=dict)
    revoked: frozenset[Partition] = frozenset()
    ended: bool = False


class FrameWriter(Protocol):
    """The capture's side of the bus."""

    def publish(self, frame: Frame) -> bool:
        """Hand a frame over, at once.

        Never blocks and never lets memory grow without bound. False means that a frame of this camera was
        dropped to keep that promise (the oldest that waits); `take_drops` says how many and why.

        Raises:
            TransportClosed: after `close`.
        """

    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        """Wait until `publish` would drop nothing of this camera, at most `timeout` seconds.

        For sources that can be slowed down (a file that is read as quickly as it goes); live captures do
        not call it. False when the time ran out.
        """

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """Frames of this camera dropped since the last call, by reason; each is told exactly once."""

    def close(self) -> None:
        """Say that nothing more will be published; what waits is still delivered.

        Where that takes too long, what was not sent yet is dropped and counted, and what was sent and is not
        acknowledged is not: who reads it counts it, if it arrived.
        """


class FrameReader(Protocol):
    """The worker's side of the bus. Not thread-safe: one thread polls, acknowledges and closes."""

    def poll(self, limit: int, timeout: float) -> Batch:
        """Up to `limit` records, waiting at most `timeout` seconds for the first; may be empty.

        Records of a camera come in the order in which they were published. No record comes twice unless
        the reader resumed before it.

        Raises:
            TransportClosed: after `close`.
        """

    def acknowledge(self, positions: Positions) -> None:
        """Say that everything before `positions` is stored, so that it need not be kept."""

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Go on from where the sink is, as on assignment, in those that this reader still has.

        For a worker that was told that another one stores these results: what it polled and could not store
        comes again, unless the sink holds it by now.

        Raises what the sink raises while it cannot be asked.
        """

    def hold(self, timeout: float) -> None:
        """Wait `timeout` seconds without reading on, and keep the partitions.

        To be called again and again in place of `poll` while results cannot be stored, which may take
        minutes: a reader that is not heard of for long loses its partitions to another one.
        """

    def reject(self, record: Record, reason: str) -> None:
        """Set a record aside that can never be processed, with the reason, where an operator finds it."""

    def close(self) -> None:
        """Give the partitions back. What was not acknowledged is delivered again to the next reader."""
