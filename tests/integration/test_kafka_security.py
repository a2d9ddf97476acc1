"""A broker with TLS and credentials: accepted with them, refused without, and no secret in a message."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka.net.transport import KafkaSSLTransport

from bus.errors import BrokerRefused, BrokerUnavailable, BusError
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.topics import partition_count
from bus.kafka.writer import KafkaWriter
from tests.support.brokers import PASSWORD, USER, Broker
from tests.support.buses import (
    KAFKA,
    PATIENCE_SECONDS,
    Shelf,
    eventually,
    frame,
    fresh_topic,
    gather,
    patiently,
    sequence,
)

pytestmark = KAFKA

WRONG = "wr0ng-w0rd"


def settings_for(broker: Broker, topic: str, *, password: str = PASSWORD, ca: bool = True) -> KafkaSettings:
    url = f"kafka://{USER}:${{KAFKA_PASSWORD}}@{broker.secure_address}/{topic}?group={topic}"
    ca_file = broker.ca_file if ca else None
    return parse_url(url, {"KAFKA_PASSWORD": password}, ca_file=ca_file)


@pytest.fixture
def topic(broker: Broker) -> str:
    return fresh_topic(broker).topic


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log records of every level."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_the_right_credentials_are_accepted(
    broker: Broker, topic: str, log: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(broker, topic)
    with (
        closing(KafkaWriter(settings, lambda _: 0)) as writer,
        closing(patiently(lambda: KafkaReader(settings, Shelf()))) as reader,
    ):
        writer.publish(frame(0))
        (record,) = gather(reader, 1).records
        assert sequence([record]) == [0]
        reader.reject(record, "a test")
    assert patiently(lambda: partition_count(settings)) == 1
    assert PASSWORD not in log.text


def test_the_wrong_password_is_refused_in_one_line(
    broker: Broker, topic: str, log: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BrokerRefused, match=f"user '{USER}' is refused") as caught:
        patiently(lambda: KafkaReader(settings_for(broker, topic, password=WRONG), Shelf()))
    assert_one_line(caught.value, broker)
    assert WRONG not in log.text


def test_a_refusal_that_arrives_together_with_the_end_of_the_connection_is_recognised(
    broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine reads both at once: kafka-python drops the data that it read before the end."""
    receive = KafkaSSLTransport._sock_recv

    def late(transport: KafkaSSLTransport) -> object:
        time.sleep(0.3)
        return receive(transport)

    monkeypatch.setattr(KafkaSSLTransport, "_sock_recv", late)
    with pytest.raises(BrokerRefused, match=f"user '{USER}' is refused"):
        patiently(lambda: KafkaReader(settings_for(broker, topic, password=WRONG), Shelf()))


def test_an_untrusted_certificate_is_refused(broker: Broker, topic: str) -> None:
    with pytest.raises(BrokerRefused, match="certificate verify failed") as caught:
        patiently(lambda: partition_count(settings_for(broker, topic, ca=False)))
    assert_one_line(caught.value, broker)


def test_a_file_without_a_certificate_is_named(broker: Broker, topic: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    settings = parse_url(f"kafka://{broker.secure_address}/{topic}?ca={ca}", {})
    with pytest.raises(BusError) as caught:
        partition_count(settings)
    assert_one_line(caught.value, broker)


def test_a_connection_without_tls_to_the_secure_listener_is_refused(broker: Broker, topic: str) -> None:
    with pytest.raises(BrokerUnavailable, match="check address, port, TLS") as caught:
        partition_count(parse_url(f"kafka://{broker.secure_address}/{topic}", {}))
    assert_one_line(caught.value, broker)


def test_a_refused_writer_retries_and_logs_the_refusal_once(
    broker: Broker, topic: str, log: pytest.LogCaptureFixture
) -> None:
    with closing(KafkaWriter(settings_for(broker, topic, password=WRONG), lambda _: 0, grace=0)) as writer:
        writer.publish(frame(0))
        eventually(lambda: bool(refusals(log)), "the refusal is logged", PATIENCE_SECONDS)
        assert not writer.wait_until_connected(2)
    assert len(refusals(log)) == 1
    assert WRONG not in log.text


def refusals(log: pytest.LogCaptureFixture) -> list[str]:
    """The writer's messages about a refusal, without those about a busy broker that does not answer yet."""
    messages = [
        text for *where, text in log.record_tuples if tuple(where) == ("bus.kafka.writer", logging.ERROR)
    ]
    return [text for text in messages if "is refused" in text]


def assert_one_line(error: BusError, broker: Broker) -> None:
    message = str(error)
    assert "\n" not in message
    assert broker.secure_address in message
    assert PASSWORD not in message
    assert WRONG not in message
