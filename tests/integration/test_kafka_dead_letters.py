"""The dead-letter queue on Kafka: a record that it cannot take is neither acknowledged nor lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from bus import codec
from bus.errors import BrokerUnavailable
from bus.kafka import dead_letters
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import create_topics
from bus.messages import LastFrame, Partition, Positions, Results
from bus.sinks import ResultSink
from inference.analyser import Analyser
from inference.worker import Worker
from tests.support.brokers import Broker
from tests.support.buses import KAFKA, PATIENCE_SECONDS, Shelf, eventually, frame, fresh_topic, gather

pytestmark = KAFKA


class MemorySink(ResultSink):
    """Counts what a worker writes."""

    def __init__(self) -> None:
        self.stored: dict[Partition, int] = {}
        self.failed = 0

    def write(self, results: Results, positions: Positions) -> None:
        self.stored.update(positions)
        self.failed += sum(minute.failed for minute in results.minutes)

    def positions(self, partitions: Iterable[Partition]) -> Positions:
        return {each: self.stored[each] for each in partitions if each in self.stored}

    def last_frames(self, camera_id: str) -> Sequence[LastFrame]:
        return ()


class UnusedAnalyser(Analyser):
    """For workers whose frames cannot be decoded."""

    def __init__(self) -> None:
        pass

    @property
    def cameras(self) -> tuple[str, ...]:
        return ()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def send(settings: KafkaSettings, count: int) -> None:
    """Send frames that are no pictures."""
    with closing(KafkaProducer(bootstrap_servers=settings.servers[0])) as producer:
        for seq in range(count):
            headers, value = codec.encode(frame(seq))
            producer.send(settings.topic, value, headers=list(headers), partition=0)
        producer.flush(timeout=PATIENCE_SECONDS)


def delete_dead_letter_queue(settings: KafkaSettings) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=settings.servers[0])) as admin:
        admin.delete_topics([settings.dead_letters])


def rejected_offsets(settings: KafkaSettings, count: int) -> list[int]:
    """The offsets of the first `count` records in the dead-letter queue."""
    consumer = KafkaConsumer(
        settings.dead_letters,
        bootstrap_servers=settings.servers[0],
        auto_offset_reset="earliest",
        consumer_timeout_ms=round(PATIENCE_SECONDS * 1000),
    )
    with closing(consumer):
        return [int(dict(next(consumer).headers)[dead_letters.OFFSET]) for _ in range(count)]


def test_a_record_that_cannot_be_rejected_is_delivered_to_the_next_reader(
    broker: Broker, stack: ExitStack
) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, 2)
    reader = stack.enter_context(closing(KafkaReader(settings, shelf)))
    first, second = gather(reader, 2).records
    shelf.store(reader, {first.partition: first.offset + 1})
    delete_dead_letter_queue(settings)
    with pytest.raises(BrokerUnavailable, match=rf"offset 1 cannot be stored in {settings.dead_letters}: "):
        reader.reject(second, "not a JPEG")
    reader.close()
    create_topics(settings, 1)
    successor = stack.enter_context(closing(KafkaReader(settings, shelf)))
    again = gather(successor, 1).records
    assert [record.offset for record in again] == [1]
    successor.reject(again[0], "not a JPEG")
    assert rejected_offsets(settings, 1) == [1]


def test_a_worker_waits_for_the_dead_letter_queue_and_keeps_its_partitions(
    broker: Broker, stack: ExitStack
) -> None:
    settings, sink, stop = fresh_topic(broker), MemorySink(), threading.Event()
    send(settings, 3)
    reader = KafkaReader(settings, sink.positions, max_silence=6)
    delete_dead_letter_queue(settings)
    worker = Worker(reader, sink, UnusedAnalyser(), live_limits=None)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    stack.callback(thread.join, PATIENCE_SECONDS)
    stack.callback(stop.set)
    time.sleep(9)  # Longer than `max_silence`.
    assert thread.is_alive()
    assert set(sink.stored.values()) <= {0}, "no position passes the record"
    create_topics(settings, 1)
    eventually(lambda: sink.failed == 3, "all records are rejected and counted")
    assert sink.stored == {Partition(settings.topic, 0): 3}
    assert set(rejected_offsets(settings, 3)) == {0, 1, 2}
