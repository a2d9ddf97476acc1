"""Every transport as the contract test suite needs it: new for each test, closed at the end."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from bus import codec
from bus.embedded import EmbeddedBus
from bus.errors import BrokerUnavailable
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.topics import create_topics
from bus.kafka.writer import KafkaWriter
from bus.messages import Frame, Partition, Positions
from bus.transport import Batch, FrameReader, FrameWriter, Record, Resume
from tests.support.brokers import Broker

KAFKA = [
    pytest.mark.integration,
    # kafka-python leaves the sockets of failed connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
"""The marks of a test that needs a broker."""

CAPACITY = 8
PATIENCE_SECONDS = 120.0
"""How long a test waits for something that must happen: the machine may be busy."""


def frame(seq: int, camera: str = "till", size: int = 20, epoch: int = 1_000_000) -> Frame:
    """A frame whose JPEG has about `size` bytes."""
    jpeg = b"\xff\xd8" + bytes([seq % 256]) * size
    return Frame(camera, 1_000_000 + seq * 200_000, seq, epoch, 64, 48, jpeg)


def sequence(records: Iterable[Record], camera: str = "till") -> list[int]:
    """The sequence numbers of one camera's frames, in order of arrival."""
    frames = [codec.decode(record.headers, record.value) for record in records]
    return [each.seq for each in frames if each.camera_id == camera]


def eventually(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)


def kafka_threads() -> set[threading.Thread]:
    """The threads of Kafka's clients, and of writers and readers."""
    return {
        thread for thread in threading.enumerate() if "afka" in f"{thread.name} {type(thread).__module__}"
    }


def gather(reader: FrameReader, count: int, limit: int = 100) -> Batch:
    """The next `count` records in one batch, polled for with `limit` at a time."""
    records: list[Record] = []
    positions: dict[Partition, int] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(records) < count:
        batch = reader.poll(min(limit, count - len(records)), timeout=0.1)
        assert len(batch.records) <= limit
        assert time.monotonic() < deadline, f"{len(records)} of {count} records arrived"
        records += batch.records
        positions |= batch.positions
    return Batch(tuple(records), positions, ended=batch.ended)


@dataclass
class Shelf:
    """The positions that a sink stores, in memory."""

    positions: dict[Partition, int] = field(default_factory=dict)

    def __call__(self, partitions: Iterable[Partition]) -> Positions:
        return {each: self.positions[each] for each in partitions if each in self.positions}

    def store(self, reader: FrameReader, positions: Positions) -> None:
        """Store positions and acknowledge them."""
        self.positions |= positions
        reader.acknowledge(positions)


class Bus(Protocol):
    """A transport under test; it buffers at most `CAPACITY` frames of a camera."""

    def writer(self) -> FrameWriter:
        """A writer that is ready."""

    def reader(self, resume: Resume) -> FrameReader:
        """A reader of all partitions, which ends once it has read everything."""

    def stalled(self) -> AbstractContextManager[None]:
        """While the block runs, at most one frame of each camera leaves the buffers of a writer."""

    def arrived(self, count: int) -> None:
        """Wait until `count` frames can be read."""


class Embedded:
    """The embedded transport."""

    def __init__(self, partitions: int) -> None:
        self._bus = EmbeddedBus(partitions, CAPACITY)

    def writer(self) -> FrameWriter:
        return self._bus.writer()

    def reader(self, resume: Resume) -> FrameReader:
        return self._bus.reader([partition.number for partition in self._bus.partitions], resume)

    def stalled(self) -> AbstractContextManager[None]:
        return nullcontext()

    def arrived(self, count: int) -> None:
        assert self._bus.waiting() == count


class Kafka:
    """A new topic on a broker."""

    def __init__(self, broker: Broker, partitions: int) -> None:
        self._broker = broker
        self.settings = fresh_topic(broker, partitions)
        self._partitions = partitions
        self._cameras: dict[str, int] = {}
        self._writers: list[KafkaWriter] = []
        self._readers: list[KafkaReader] = []

    def writer(self) -> FrameWriter:
        writer = KafkaWriter(self.settings, self._partition_of, capacity=CAPACITY, in_flight_bytes=1)
        self._writers.append(writer)
        assert writer.wait_until_connected(PATIENCE_SECONDS)
        return writer

    def reader(self, resume: Resume) -> FrameReader:
        self._readers.append(KafkaReader(self.settings, resume, drain=True))
        return self._readers[-1]

    @contextmanager
    def stalled(self) -> Iterator[None]:
        self._broker.stall()
        try:
            yield
        finally:
            self._broker.resume()

    def arrived(self, count: int) -> None:
        eventually(lambda: sum(each.acknowledged for each in self._writers) == count, "frames arrive")

    def close(self) -> None:
        for each in (*self._readers, *self._writers):
            each.close()

    def _partition_of(self, camera_id: str) -> int:
        return self._cameras.setdefault(camera_id, len(self._cameras) % self._partitions)


def fresh_topic(broker: Broker, partitions: int = 1) -> KafkaSettings:
    """The settings for a new topic and a new consumer group."""
    name = f"frames-{uuid.uuid4().hex[:12]}"
    settings = parse_url(f"kafka://{broker.address}/{name}?group={name}", {})
    patiently(lambda: create_topics(settings, partitions))
    return settings


Result = TypeVar("Result")


def patiently(connect: Callable[[], Result]) -> Result:
    """Connect; again while a busy broker does not answer within the few seconds that Mien waits."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return connect()
        except BrokerUnavailable:
            if time.monotonic() > deadline:
                raise


def configuration(settings: KafkaSettings, topic: str) -> Mapping[str, str]:
    """The configuration of a topic."""
    with closing(KafkaAdminClient(bootstrap_servers=settings.servers[0])) as admin:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {name: each["value"] for name, each in found["topic"][topic].items()}
