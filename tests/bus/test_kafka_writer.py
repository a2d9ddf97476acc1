"""The writer while brokers refuse permissions: frames wait, and flow again. A bug in its thread is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata

from bus.kafka.outbox import NOT_SENT
from bus.kafka.settings import parse_url
from bus.kafka.writer import KafkaWriter
from tests.support.buses import eventually, frame

SETTINGS = parse_url("kafka://127.0.0.1:9092/frames", {})


class Producer:
    """A client of a broker that acknowledges every frame, or that refuses to say where to send frames."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None
        self.refusals = threading.Semaphore(0)

    def partitions_for(self, topic: str) -> set[int]:
        if self.error is not None:
            self.refusals.release()
            raise self.error
        return {0}

    def send(self, topic: str, *record: object) -> FutureRecordMetadata:
        result = FutureProduceResult(TopicPartition(topic, 0))
        future = FutureRecordMetadata(result, 0, 0, None, 0, 0, 0)
        result.success((0, 0, None))
        return future

    def close(self, timeout: float) -> None:
        pass


@pytest.mark.parametrize("kind", [TopicAuthorizationFailedError, UnknownTopicOrPartitionError])
def test_frames_wait_while_the_brokers_refuse_and_flow_again_afterwards(
    kind: type[KafkaError], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    producer = Producer()
    monkeypatch.setattr("bus.kafka.writer.open_client", lambda *_, **__: producer)
    monkeypatch.setattr("bus.kafka.writer._RETRY_SECONDS", 0.01)
    writer = KafkaWriter(SETTINGS, lambda _: 0)
    writer.publish(frame(0))
    eventually(lambda: writer.acknowledged == 1, "frames flow")
    producer.error = kind("frames")
    writer.publish(frame(1))
    for _ in range(3):
        assert producer.refusals.acquire(timeout=60)
    writer.publish(frame(2))
    producer.error = None
    eventually(lambda: writer.acknowledged == 3, "frames flow again")
    assert writer.wait_until_empty(0)
    writer.close()
    assert writer.take_drops("till") == {}
    waiting = [each.getMessage() for each in caplog.records if "frames wait" in each.getMessage()]
    assert len(waiting) == 1, "it is reported once"


def test_a_writer_whose_frames_are_refused_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = Producer()
    monkeypatch.setattr("bus.kafka.writer.open_client", lambda *_, **__: producer)
    monkeypatch.setattr("bus.kafka.writer._RETRY_SECONDS", 3600.0)
    writer = KafkaWriter(SETTINGS, lambda _: 0, grace=0.0)
    assert writer.wait_until_connected(60)
    producer.error = TopicAuthorizationFailedError("frames")
    writer.publish(frame(0))
    assert producer.refusals.acquire(timeout=60)
    writer.close()
    eventually(lambda: all(each.name != "kafka writer" for each in threading.enumerate()), "its thread ends")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_ends_the_thread_of_a_writer_is_kept_and_raised_where_frames_are_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bus.kafka.writer.open_client", lambda *_, **__: Producer())
    writer = KafkaWriter(SETTINGS, {"till": 0}.__getitem__, grace=3600.0)
    writer.publish(frame(0))
    eventually(lambda: writer.acknowledged == 1, "frames flow")
    writer.check()
    writer.publish(frame(1, camera="door"))
    eventually(lambda: writer.error is not None, "the thread ends")
    waits: list[Callable[[], object]] = [
        writer.check,
        lambda: writer.wait_for_room("till", 3600.0),
        lambda: writer.wait_until_empty(3600.0),
        lambda: writer.wait_until_connected(3600.0),
    ]
    for each in waits:
        with pytest.raises(KeyError, match="door"):
            each()
    writer.publish(frame(2))
    writer.close()
    assert writer.take_drops("till") == {NOT_SENT: 1}
