"""The bus inside one process: bounded queues between capture threads and workers, no server.

Every camera has a queue of its own that drops its oldest frame when it is full, so that a slow worker
costs freshness and never memory, and one camera's flood never pushes out another's frames.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bus.codec import encode
from bus.errors import TransportClosed
from bus.messages import Frame, Partition, Positions
from bus.transport import DROPPED_OLDEST, Batch, Record, Resume

TOPIC = "embedded"

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Lane:
    """One partition: the cameras on it, and what was delivered but is not stored yet."""

    partition: Partition
    queues: dict[str, deque[Frame]] = field(default_factory=dict)
    unacknowledged: deque[Record] = field(default_factory=deque)
    redeliver: deque[Record] = field(default_factory=deque)
    next_offset: int = 0
    taken: bool = False

    def take_next(self) -> Record | None:
        """The next record, going round the cameras so that none starves."""
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

    def go_on_from(self, stored: int) -> None:
        """Deliver again what was delivered and is not stored."""
        known = (*self.unacknowledged, *self.redeliver)
        self.redeliver = deque(record for record in known if record.offset >= stored)
        self.unacknowledged.clear()
        self.next_offset = max(self.next_offset, stored)

    @property
    def is_drained(self) -> bool:
        """Whether everything that was published has been stored."""
        return not (self.redeliver or self.unacknowledged or any(self.queues.values()))


class EmbeddedBus:
    """Partitions in memory; hands out the writers and readers that share them.

    Cameras are given to partitions in turn, in the order of their first frame.

    Args:
        partitions: how many readers can work side by side.
        capacity: frames of one camera that may wait before the oldest is dropped.
        topic: of the partitions; a name of its own where other processes store into the same sink.
    """

    def __init__(self, partitions: int = 1, capacity: int = 16, topic: str = TOPIC) -> None:
        if partitions < 1 or capacity < 1:
            raise ValueError(f"partitions {partitions}, capacity {capacity}: expected at least 1 of each")
        self._capacity = capacity
        self._lanes = [_Lane(Partition(topic, number)) for number in range(partitions)]
        self._lane_of: dict[str, _Lane] = {}
        self._drops: dict[str, Counter[str]] = {}
        self._changed = threading.Condition()
        self._writers_open = 0
        self._writers_seen = 0

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """All lanes of this bus."""
        return tuple(lane.partition for lane in self._lanes)

    def writer(self) -> EmbeddedWriter:
        """A new writer; the bus has ended once every writer has been closed and all is stored."""
        with self._changed:
            self._writers_open += 1
            self._writers_seen += 1
        return EmbeddedWriter(self)

    def reader(self, numbers: Iterable[int], resume: Resume) -> EmbeddedReader:
        """A reader of the partitions `numbers`; `resume` tells what the sink holds already.

        Raises:
            ValueError: a partition does not exist or is read by somebody else.
        """
        lanes = [self._lane(number) for number in numbers]
        positions = resume([lane.partition for lane in lanes])
        with self._changed:
            for lane in lanes:
                if lane.taken:
                    raise ValueError(f"partition {lane.partition.number}: is read by another reader")
            for lane in lanes:
                lane.taken = True
                lane.go_on_from(positions.get(lane.partition, 0))
        return EmbeddedReader(self, lanes, resume)

    def waiting(self) -> int:
        """Frames that were published and not yet handed to a reader."""
        with self._changed:
            return sum(len(queue) for lane in self._lanes for queue in lane.queues.values())

    def _lane(self, number: int) -> _Lane:
        if not 0 <= number < len(self._lanes):
            raise ValueError(f"partition {number}: this bus has 0 to {len(self._lanes) - 1}")
        return self._lanes[number]

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
        lane = self._lane_of.get(camera_id)
        if lane is None:
            lane = self._lanes[len(self._lane_of) % len(self._lanes)]
            self._lane_of[camera_id] = lane
            lane.queues[camera_id] = deque()
        return lane.queues[camera_id]

    def _wait(self, ready: Callable[[], bool], timeout: float) -> bool:
        return self._changed.wait_for(ready, timeout)


class EmbeddedWriter:
    """A `FrameWriter` on an `EmbeddedBus`; any number of threads may share it."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self._bus = bus
        self._closed = False

    def publish(self, frame: Frame) -> bool:
        """See `FrameWriter.publish`."""
        if self._closed:
            raise TransportClosed(f"camera {frame.camera_id}: the writer is closed")
        return self._bus._publish(frame)

    def wait_for_room(self, camera_id: str, timeout: float) -> bool:
        """See `FrameWriter.wait_for_room`."""
        bus = self._bus
        with bus._changed:
            return bus._wait(lambda: len(bus._queue(camera_id)) < bus._capacity, timeout)

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """See `FrameWriter.take_drops`."""
        with self._bus._changed:
            return dict(self._bus._drops.pop(camera_id, Counter()))

    def close(self) -> None:
        """See `FrameWriter.close`."""
        with self._bus._changed:
            if not self._closed:
                self._closed = True
                self._bus._writers_open -= 1
                self._bus._changed.notify_all()


class EmbeddedReader:
    """A `FrameReader` on some partitions of an `EmbeddedBus`."""

    def __init__(self, bus: EmbeddedBus, lanes: list[_Lane], resume: Resume) -> None:
        self._bus = bus
        self._lanes = lanes
        self._resume = resume
        self._closed = False

    def poll(self, limit: int, timeout: float) -> Batch:
        """See `FrameReader.poll`."""
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

    def acknowledge(self, positions: Positions) -> None:
        """See `FrameReader.acknowledge`."""
        with self._bus._changed:
            for lane in self._lanes:
                stored = positions.get(lane.partition, 0)
                while lane.unacknowledged and lane.unacknowledged[0].offset < stored:
                    lane.unacknowledged.popleft()
            self._bus._changed.notify_all()

    def resume(self, partitions: Iterable[Partition]) -> None:
        """See `FrameReader.resume`."""
        wanted = set(partitions)
        lanes = [lane for lane in self._lanes if lane.partition in wanted]
        positions = self._resume([lane.partition for lane in lanes])
        with self._bus._changed:
            for lane in lanes:
                lane.go_on_from(positions.get(lane.partition, 0))

    def hold(self, timeout: float) -> None:
        """See `FrameReader.hold`; nobody else can take the partitions."""
        time.sleep(timeout)

    def reject(self, record: Record, reason: str) -> None:
        """See `FrameReader.reject`; without a server there is only the log to set it aside in."""
        _log.warning("%s offset %d set aside: %s", record.partition, record.offset, reason)

    def close(self) -> None:
        """See `FrameReader.close`."""
        with self._bus._changed:
            if not self._closed:
                self._closed = True
                for lane in self._lanes:
                    lane.unacknowledged.extend(lane.redeliver)
                    lane.redeliver.clear()
                    lane.taken = False
                self._bus._changed.notify_all()

    def _take(self, limit: int) -> list[Record]:
        records: list[Record] = []
        busy = deque(self._lanes)
        while busy and len(records) < limit:
            lane = busy.popleft()
            if (record := lane.take_next()) is not None:
                lane.unacknowledged.append(record)
                records.append(record)
                busy.append(lane)
        return records

    def _ended(self) -> bool:
        bus = self._bus
        written_out = bus._writers_seen > 0 and bus._writers_open == 0
        return written_out and all(lane.is_drained for lane in self._lanes)
