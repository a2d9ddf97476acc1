"""The writer while its broker hangs, crashes or is not yet up: frames stay bounded, counted and in order."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from bus.codec import MAX_JPEG_BYTES, decode
from bus.errors import BrokerUnavailable
from bus.kafka.outbox import NOT_SENT
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.writer import NO_PARTITION, REFUSED, TOO_LARGE, KafkaWriter
from bus.messages import Frame
from bus.transport import DROPPED_OLDEST
from inference.frame_order import FrameOrder, Order
from tests.support.brokers import Broker
from tests.support.buses import (
    KAFKA,
    PATIENCE_SECONDS,
    Shelf,
    configuration,
    eventually,
    frame,
    fresh_topic,
    kafka_threads,
)
from tests.support.processes import free_port

pytestmark = KAFKA

CAMERAS = ("door", "till")
FPS = 40
CAPACITY = 16
FRAME_BYTES = 40_000
IN_FLIGHT_BYTES = 2 << 20


@dataclass
class Cameras:
    """Cameras that publish at a fixed rate through one writer, and what became of their frames."""

    settings: KafkaSettings
    published: dict[str, list[int]] = field(default_factory=lambda: {camera: [] for camera in CAMERAS})
    acknowledged: dict[str, set[int]] = field(default_factory=lambda: {camera: set() for camera in CAMERAS})
    drops: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.writer = KafkaWriter(
            self.settings,
            CAMERAS.index,
            capacity=CAPACITY,
            in_flight_bytes=IN_FLIGHT_BYTES,
            on_acknowledged=lambda camera, _, seq: self.acknowledged[camera].add(seq),
        )

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish from all cameras at `FPS`; at the end close the writer and collect the drops."""
        stop = threading.Event()
        threads = [threading.Thread(target=self._publish_steadily, args=(camera, stop)) for camera in CAMERAS]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            self.writer.close()
            for camera in CAMERAS:
                self.drops.update(self.writer.take_drops(camera))

    def publish(self, count: int) -> None:
        """Publish `count` frames of each camera at once."""
        for camera in CAMERAS:
            for _ in range(count):
                self._publish(camera)

    def _publish_steadily(self, camera: str, stop: threading.Event) -> None:
        while not stop.wait(1 / FPS):
            self._publish(camera)

    def _publish(self, camera: str) -> None:
        seq = len(self.published[camera])
        jpeg = b"\xff\xd8" + os.urandom(FRAME_BYTES)
        self.writer.publish(Frame(camera, seq, seq, 1, 64, 48, jpeg))
        self.published[camera].append(seq)

    def check(self) -> None:
        """Assert that every frame either is accepted by a worker or was dropped, but not both."""
        accepted = accepted_frames(self.settings)
        for camera in CAMERAS:
            assert self.acknowledged[camera] == set(accepted[camera]) <= set(self.published[camera])
        published = sum(map(len, self.published.values()))
        assert published == sum(map(len, accepted.values())) + self.drops.total()


def accepted_frames(settings: KafkaSettings) -> dict[str, list[int]]:
    """The sequence numbers of the frames in a topic that a worker accepts, by camera, in order.

    A topic may have a frame again, whose acknowledgement was lost. A frame that arrives for the first time
    after a later one would be refused too and so be lost: this fails.
    """
    reader = KafkaReader(settings, Shelf(), drain=True)
    order = FrameOrder()
    accepted: dict[str, list[int]] = {camera: [] for camera in CAMERAS}
    for camera in CAMERAS:
        order.restore(camera, [])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (batch := reader.poll(limit=32, timeout=0.2)).ended:
        assert time.monotonic() < deadline
        for record in batch.records:
            each = decode(record.headers, record.value)
            if order.classify(each.camera_id, each.epoch, each.seq) is Order.NEW:
                order.note(each.camera_id, each.epoch, each.seq, analysed=True)
                accepted[each.camera_id].append(each.seq)
            else:
                assert each.seq in accepted[each.camera_id], "arrived after a later frame"
        reader.acknowledge(batch.positions)
    reader.close()
    return accepted


def resident_bytes() -> int:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_hung_broker_costs_frames_but_no_memory_and_frames_flow_again_afterwards(
    broker: Broker,
) -> None:
    cameras = Cameras(fresh_topic(broker, len(CAMERAS)))
    with cameras.publishing():
        eventually(lambda: cameras.writer.acknowledged > FPS, "frames flow")
        before = resident_bytes()
        broker.stall()
        time.sleep(12)  # Long enough for a request to time out and to be sent again.
        grown = resident_bytes() - before
        broker.resume()
        mark = {camera: len(cameras.published[camera]) for camera in CAMERAS}

        def flows(camera: str) -> bool:
            """Whether the newest frames after the outage, those of a second, all arrived."""
            arrived = cameras.acknowledged[camera]
            newest = max(arrived, default=0)
            return newest - FPS > mark[camera] and set(range(newest - FPS, newest)) <= arrived

        eventually(lambda: all(map(flows, CAMERAS)), "frames flow again, and none is lost")
    stalled = sum(mark.values()) * FRAME_BYTES
    bound = IN_FLIGHT_BYTES + len(CAMERAS) * CAPACITY * FRAME_BYTES
    assert grown < 3 * bound < stalled, f"grew by {grown:,} bytes while {stalled:,} bytes were published"
    assert cameras.drops[DROPPED_OLDEST] > 0
    cameras.check()


def test_a_killed_broker_costs_only_counted_frames(broker: Broker) -> None:
    cameras = Cameras(fresh_topic(broker, len(CAMERAS)))
    with cameras.publishing():
        eventually(lambda: cameras.writer.acknowledged > FPS, "frames flow")
        broker.kill()
        time.sleep(1)
        broker.start()
        until = {camera: len(cameras.published[camera]) + FPS for camera in CAMERAS}
        eventually(
            lambda: all(max(cameras.acknowledged[c], default=0) > until[c] for c in CAMERAS),
            "frames flow again",
        )
    assert cameras.drops.keys() <= {DROPPED_OLDEST}
    cameras.check()


def test_a_writer_waits_for_its_first_broker(broker: Broker) -> None:
    settings = fresh_topic(broker, len(CAMERAS))
    broker.kill()
    try:
        cameras = Cameras(settings)
        cameras.publish(3 * CAPACITY)
        with pytest.raises(BrokerUnavailable, match=f"{broker.address}: no broker answers") as caught:
            KafkaReader(settings, Shelf())
        assert "\n" not in str(caught.value)
        assert not cameras.writer.wait_until_connected(0)
    finally:
        broker.start()
    with cameras.publishing():
        eventually(lambda: cameras.writer.acknowledged > 2 * CAPACITY, "frames flow")
    assert cameras.drops[DROPPED_OLDEST] >= 2 * 2 * CAPACITY
    for camera in CAMERAS:
        assert min(cameras.acknowledged[camera]) >= 2 * CAPACITY, "the newest were kept"
    cameras.check()


def test_closing_ends_in_time_and_counts_nothing_twice(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    settings = fresh_topic(broker)
    writer = KafkaWriter(settings, lambda _: 0, in_flight_bytes=1, grace=1)
    assert writer.wait_until_connected(PATIENCE_SECONDS)
    broker.stall()
    try:
        for seq in range(5):
            writer.publish(frame(seq))
        began = time.monotonic()
        writer.close()
        assert time.monotonic() - began < 10
    finally:
        broker.resume()
    assert writer.acknowledged == 0
    assert writer.take_drops("till") == {NOT_SENT: 4}
    assert "whether the last 1 frames arrived is unknown" in caplog.text
    assert accepted_frames(settings)["till"] in ([], [0]), "if the frame arrived, its reader counts it"


def test_frames_that_a_broker_refuses_are_counted(broker: Broker) -> None:
    settings = fresh_topic(broker)
    with closing(KafkaAdminClient(**settings.connection())) as admin:
        limit = {"max.message.bytes": "5000"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic, limit)])
    eventually(lambda: configuration(settings, settings.topic)["max.message.bytes"] == "5000", "it applies")
    with closing(KafkaWriter(settings, lambda _: 0)) as writer:
        writer.publish(frame(0, size=10_000))
        eventually(lambda: writer.take_drops("till") == {REFUSED: 1}, "the refusal is counted")
        writer.publish(frame(1))
    assert accepted_frames(settings)["till"] == [1]


def test_a_writer_that_never_reached_a_broker_can_be_closed() -> None:
    settings = parse_url(f"kafka://127.0.0.1:{free_port()}", {})
    before = kafka_threads()
    writer = KafkaWriter(settings, lambda _: 0, grace=0.2)
    writer.publish(frame(0))
    writer.close()
    assert writer.take_drops("till") == {NOT_SENT: 1}
    eventually(lambda: kafka_threads() <= before, "its threads end")
    gc.collect()  # The client leaves sockets to the collector: close them in this test, not in the next.


def test_frames_that_can_never_be_sent_are_counted_and_delay_no_others(broker: Broker) -> None:
    settings = fresh_topic(broker)
    writer = KafkaWriter(settings, {"till": 0, "stray": 7}.__getitem__)
    writer.publish(frame(0, "stray"))
    writer.publish(frame(0, size=3 << 20))
    writer.publish(frame(1))
    eventually(lambda: writer.acknowledged == 1, "the good one arrives")
    writer.close()
    assert writer.take_drops("stray") == {NO_PARTITION: 1}
    assert writer.take_drops("till") == {TOO_LARGE: 1}
    assert accepted_frames(settings)["till"] == [1]


def test_the_largest_frame_is_accepted(broker: Broker) -> None:
    settings = fresh_topic(broker)
    with closing(KafkaWriter(settings, lambda _: 0)) as writer:
        assert writer.wait_until_connected(PATIENCE_SECONDS)
        writer.publish(frame(0, size=MAX_JPEG_BYTES - 2))
        writer.publish(frame(1))
    assert accepted_frames(settings)["till"] == [0, 1]
