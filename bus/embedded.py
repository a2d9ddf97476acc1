"""The bus within one process: bounded queues between capture threads and workers, without a server.

Each camera has its own queue, which drops its oldest frame when it is full: a slow worker costs freshness and
never memory, and no camera displaces the frames of another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from typing_extensions import override

from bus.codec import encode
from bus.errors import TransportClosed
from bus.messages import Frame, Partition, Positions
from bus.transport import DROPPED_OLDEST, Batch, FrameReader, FrameWriter, Record, Resume

TOPIC = "embedded"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _PartitionQueues:
    """One partition: the queues of its cameras, and the records that are delivered and not stored yet."""

    partition: Partition
    queues: dict[str, deque[Frame]] = field(default_factory=dict)
    unacknowledged: deque[Record] = field(default_factory=deque)
    redeliver: deque[Record] = field(default_factory=deque)
    next_offset: int = 0
    taken: bool = False

    def take_next(self) -> Record | None:
        """The next record, from the cameras in turn (round robin)."""
        if self.redeliver:
            return self.redeliver.popleft()
        for camera_id, queue in self.queues.items():
            if queue:
                headers, value = encode(queue.popleft())
                record = Record(self.partition, self.next_offset, headers, value)
                self.next_offset += 1
                self.queues[camera_id] = self.queues.pop(camera_id)
                return record
        return None

    def resume_at(self, position: int) -> None:
        """Deliver the records from `position` again."""
        known = (*self.unacknowledged, *self.redeliver)
        self.redeliver = deque(record for record in known if record.offset >= position)
        self.unacknowledged.clear()
        self.next_offset = max(self.next_offset, position)

    @property
    def is_drained(self) -> bool:
        """Whether everything that was published is stored."""
        return not (self.redeliver or self.unacknowledged or any(self.queues.values()))


class EmbeddedBus:
    """Partitions in memory, shared by the writers and readers that it creates.

    Cameras are assigned to partitions in turn, in the order of their first frame.

    Args:
        partitions: how many readers can work in parallel.
        capacity: frames of one camera that may wait before the oldest is dropped.
        topic: of the partitions; a unique name where other processes store into the same sink.
    """

    def __init__(self, partitions: int = 1, capacity: int = 16, topic: str = TOPIC) -> None:
        if partitions < 1 or capacity < 1:
            raise ValueError(f"partitions {partitions}, capacity {capacity}: expected at least 1 of each")
        self._capacity = capacity
        self._parts = [_PartitionQueues(Partition(topic, number)) for number in range(partitions)]
        self._queues_of: dict[str, _PartitionQueues] = {}
        self._drops: dict[str, Counter[str]] = {}
        self._changed = threading.Condition()
        self._writers_open = 0
        self._writers_seen = 0

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All partitions of this bus."""
        return tuple(part.partition for part in self._parts)

    def writer(self) -> EmbeddedWriter:
        """A new writer; the bus has ended once every writer is closed and every frame is stored."""
        with self._changed:
            self._writers_open += 1
            self._writers_seen += 1
        return EmbeddedWriter(self)

    def reader(self, numbers: Iterable[int], resume: Resume) -> EmbeddedReader:
        """A reader of the partitions `numbers`, which starts at the positions that `resume` returns.

        Raises:
            ValueError: a partition does not exist or has another reader.
        """
        parts = [self._part(number) for number in numbers]
        positions = resume([part.partition for part in parts])
        with self._changed:
            for part in parts:
                if part.taken:
                    raise ValueError(f"partition {part.partition.number}: has another reader")
            for part in parts:
                part.taken = True
                part.resume_at(positions.get(part.partition, 0))
        return EmbeddedReader(self, parts, resume)

    def waiting(self) -> int:
        """Frames that are published and not yet delivered."""
        with self._changed:
            return sum(len(queue) for part in self._parts for queue in part.queues.values())

    def _part(self, number: int) -> _PartitionQueues:
        if not 0 <= number < len(self._parts):
            raise ValueError(f"partition {number}: this bus has 0 to {len(self._parts) - 1}")
        return self._parts[number]

    def _publish(self, frame: Frame) -> bool:
        with self._changed:
            queue = self._queue(frame.camera_id)
            fits = len(queue) < self._capacity
            if not fits:
                queue.popleft()
                self._drops.setdefault(frame.camera_id, Counter())[DROPPED_OLDEST] += 1
            queue.append(frame)
            self._changed.notify_all()
            return fits

    def _queue(self, camera_id: str) -> deque[Frame]:
        part = self._queues_of.get(camera_id)
        if part is None:
            part = self._parts[len(self._queues_of) % len(self._parts)]
            self._queues_of[camera_id] = part
            part.queues[camera_id] = deque()
        return part.queues[camera_id]

    def _wait(self, ready: Callable[[], bool], timeout: float) -> bool:
        return self._changed.wait_for(ready, timeout)


class EmbeddedWriter(FrameWriter):
    """A `FrameWriter` on an `EmbeddedBus`; any number of threads may share it."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self._bus = bus
        self._closed = False

    @override
    def publish(self, frame: Frame) -> bool:
        if self._closed:
            raise TransportClosed(f"camera {frame.camera_id}: the writer is closed")
        return self._bus._publish(frame)

    @override
    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        bus = self._bus
        with bus._changed:
            return bus._wait(lambda: len(bus._queue(camera_id)) < bus._capacity, timeout)

    @override
    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        with self._bus._changed:
            return dict(self._bus._drops.pop(camera_id, Counter()))

    @override
    def close(self) -> None:
        with self._bus._changed:
            if not self._closed:
                self._closed = True
                self._bus._writers_open -= 1
                self._bus._changed.notify_all()


class EmbeddedReader(FrameReader):
    """A `FrameReader` on some partitions of an `EmbeddedBus`."""

    def __init__(self, bus: EmbeddedBus, parts: list[_PartitionQueues], resume: Resume) -> None:
        self._bus = bus
        self._parts = parts
        self._resume = resume
        self._closed = False

    @override
    def poll(self, limit: int, timeout: float) -> Batch:
        if self._closed:
            raise TransportClosed("the reader is closed")
        deadline = time.monotonic() + timeout
        with self._bus._changed:
            records = self._take(limit)
            while not records and not self._ended() and (left := deadline - time.monotonic()) > 0:
                self._bus._changed.wait(left)
                records = self._take(limit)
            if records:
                self._bus._changed.notify_all()
            positions = {record.partition: record.offset + 1 for record in records}
            return Batch(tuple(records), positions, ended=not records and self._ended())

    @override
    def acknowledge(self, positions: Positions) -> None:
        with self._bus._changed:
            for part in self._parts:
                stored = positions.get(part.partition, 0)
                while part.unacknowledged and part.unacknowledged[0].offset < stored:
                    part.unacknowledged.popleft()
            self._bus._changed.notify_all()

    @override
    def resume(self, partitions: Iterable[Partition]) -> None:
        wanted = set(partitions)
        parts = [part for part in self._parts if part.partition in wanted]
        positions = self._resume([part.partition for part in parts])
        with self._bus._changed:
            for part in parts:
                part.resume_at(positions.get(part.partition, 0))

    @override
    def hold(self, timeout: float) -> None:
        time.sleep(timeout)  # No other reader can take the partitions.

    def lag(self) -> Mapping[Partition, int]:
        """Frames that were published and not polled yet, by partition."""
        with self._bus._changed:
            return {
                part.partition: len(part.redeliver) + sum(map(len, part.queues.values()))
                for part in self._parts
            }

    @override
    def reject(self, record: Record, reason: str) -> None:
        # Without a server there is no dead-letter queue: the log keeps the reason.
        _log.warning("%s offset %d rejected: %s", record.partition, record.offset, reason)

    @override
    def close(self) -> None:
        with self._bus._changed:
            if not self._closed:
                self._closed = True
                for part in self._parts:
                    part.unacknowledged.extend(part.redeliver)
                    part.redeliver.clear()
                    part.taken = False
                self._bus._changed.notify_all()

    def _take(self, limit: int) -> list[Record]:
        records: list[Record] = []
        busy = deque(self._parts)
        while busy and len(records) < limit:
            part = busy.popleft()
            if (record := part.take_next()) is not None:
                part.unacknowledged.append(record)
                records.append(record)
                busy.append(part)
        return records

    def _ended(self) -> bool:
        bus = self._bus
        all_closed = bus._writers_seen > 0 and bus._writers_open == 0
        return all_closed and all(part.is_drained for part in self._parts)
