"""Start of `mien work`, `ingest` and `topics`: without a broker, and with one that is advertised wrongly."""

from __future__ import annotations

import signal
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from bus.errors import AdvertisedNameError, BrokerUnavailable
from bus.kafka.client import check_advertised, open_client
from bus.kafka.settings import KafkaSettings
from bus.kafka.writer import KafkaWriter
from tests.support.brokers import CLOSED_PORT, UNKNOWN_HOST, Broker
from tests.support.buses import KAFKA, PATIENCE_SECONDS, eventually, frame, fresh_topic, kafka_threads
from tests.support.processes import free_port, mien, running

pytestmark = KAFKA

COMMANDS = (["work", "--drain"], ["ingest", "--source", "demo://till"], ["topics", "create"])


def variables(address: str, topic: str) -> dict[str, str]:
    return {"MIEN_BUS": f"kafka://{address}/{topic}?group={topic}", "MIEN_PARTITIONS": "1"}


def read_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """The lines of the output up to the one with these words."""
    lines: list[str] = []
    assert process.stdout
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("command", COMMANDS, ids=["work", "ingest", "topics"])
def test_an_advertised_name_that_nobody_knows_is_one_line_with_host_and_setting(
    broker: Broker, tmp_path: Path, command: list[str]
) -> None:
    topic = fresh_topic(broker).topic
    done = mien(tmp_path, *command, variables=variables(broker.misnamed_address, topic))
    assert done.returncode == 2
    assert f"broker 1 advertises the name {UNKNOWN_HOST}:" in done.stderr
    assert "set advertised.listeners" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_an_advertised_address_without_a_listener_is_one_line_with_host_and_setting(
    broker: Broker, tmp_path: Path
) -> None:
    topic = fresh_topic(broker).topic
    done = mien(tmp_path, "topics", "create", variables=variables(broker.misplaced_address, topic))
    assert done.returncode == 2
    assert f"nothing listens on 127.0.0.1:{CLOSED_PORT}" in done.stderr
    assert "advertised.listeners" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_writer_names_the_advertised_name_and_waits(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    topic = fresh_topic(broker).topic
    settings = KafkaSettings((broker.misnamed_address,), topic)
    with closing(KafkaWriter(settings, lambda _: 0, grace=0)) as writer:
        writer.publish(frame(0))
        eventually(lambda: UNKNOWN_HOST in caplog.text, "the name is logged")
        assert not writer.wait_until_connected(0.1)


@pytest.mark.parametrize("kind", [KafkaProducer, KafkaConsumer, KafkaAdminClient])
def test_a_client_that_is_refused_for_an_advertised_name_leaves_no_thread(
    broker: Broker, kind: type[KafkaProducer | KafkaConsumer | KafkaAdminClient]
) -> None:
    settings = KafkaSettings((broker.misnamed_address,))
    before = kafka_threads()
    for _ in range(3):
        with pytest.raises(AdvertisedNameError, match=UNKNOWN_HOST):
            open_client(kind, settings, seconds=PATIENCE_SECONDS)
    eventually(lambda: kafka_threads() <= before, "its threads end")


def test_one_unknown_name_among_known_ones_is_logged(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """A broker of several may have just ended, and its name with it."""
    host, _, port = broker.address.partition(":")
    settings = KafkaSettings((broker.address,))
    check_advertised(settings, [(1, host, int(port)), (2, UNKNOWN_HOST, 9092)])
    assert f"broker 2 advertises the name {UNKNOWN_HOST}:9092" in caplog.text
    with pytest.raises(AdvertisedNameError, match="broker 2"):
        check_advertised(settings, [(2, UNKNOWN_HOST, 9092)])
    with pytest.raises(BrokerUnavailable, match=f"nothing listens on 127.0.0.1:{CLOSED_PORT}"):
        check_advertised(settings, [(1, "127.0.0.1", CLOSED_PORT)])


def test_work_waits_for_a_broker_and_starts_when_there_is_one(broker: Broker, tmp_path: Path) -> None:
    topic = fresh_topic(broker).topic
    broker.kill()
    try:
        with running(tmp_path, "work", "--drain", variables=variables(broker.address, topic)) as process:
            lines = read_until(process, "waiting for a broker")
            assert "Traceback" not in "".join(lines)
            broker.start()
            assert process.stdout
            rest = process.stdout.read()
            assert process.wait(PATIENCE_SECONDS) == 0, rest
    finally:
        if not broker.is_running:
            broker.start()


def test_work_is_alive_and_stops_while_it_waits_for_a_broker(tmp_path: Path) -> None:
    port = free_port()
    given = variables(f"127.0.0.1:{free_port()}", "frames") | {"MIEN_HEALTH_PORT": str(port)}
    with running(tmp_path, "work", variables=given) as process:
        read_until(process, "waiting for a broker")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE_SECONDS) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, output
