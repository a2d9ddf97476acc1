"""How long pictures lie on a broker's disk: measured in the files of a real broker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event, Thread

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from bus.errors import TopicError
from bus.kafka.reader import KafkaReader
from bus.kafka.retention import DiskTime
from bus.kafka.settings import KafkaSettings, parse_url
from bus.kafka.topics import create_topics, disk_times
from bus.kafka.writer import KafkaWriter
from bus.messages import Frame
from mien import checks
from mien.settings import load
from tests.support.brokers import CHECK_MS, Broker
from tests.support.buses import KAFKA, Shelf, eventually, fresh_topic, gather
from tests.support.processes import mien

pytestmark = KAFKA

SECONDS = 3.0
"""Retention of the topic: short, so that the test is."""
SLACK = 30.0
"""A busy machine is late; Kafka's own delay until files are deleted would be a minute."""
MARKER = b"\xff\xd8a face that must not stay on a disk"


def marked_frame(seq: int) -> Frame:
    return Frame("till", 1_000_000 + seq, seq, 1, 64, 48, MARKER)


def is_on_disk(broker: Broker, topic: str, partition: int = 0) -> bool:
    """Whether a file of the partition, deleted ones included, contains the picture."""
    folders = [path for path in broker.data.iterdir() if path.name.startswith(f"{topic}-{partition}")]
    return any(_contains(path) for folder in folders for path in folder.iterdir())


def _contains(path: object) -> bool:
    try:
        return MARKER in path.read_bytes()  # type: ignore[attr-defined]
    except FileNotFoundError:
        return False


def short_topic(broker: Broker) -> KafkaSettings:
    settings = fresh_topic(broker)
    create_topics(settings, 1, retention_minutes=SECONDS / 60)
    eventually(lambda: disk_times(settings)[0].retention_s == SECONDS, "the broker has the configuration")
    return settings


@contextmanager
def steady_stream(writer: KafkaWriter) -> Iterator[None]:
    """Other pictures keep the partition busy."""
    stop = Event()

    def publish() -> None:
        for seq in range(1, 1_000_000):
            writer.publish(Frame("till", 1_000_000 + seq, seq, 1, 64, 48, b"\xff\xd8 another picture"))
            if stop.wait(0.1):
                return

    thread = Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_picture_leaves_the_disk_in_the_time_that_is_stated(broker: Broker) -> None:
    """On a partition that stays busy, whose files are never closed by silence."""
    settings = short_topic(broker)
    frames, _ = disk_times(settings)
    assert frames.check_s == CHECK_MS / 1000
    assert frames.total_s is not None
    assert frames.total_s < SECONDS + 4
    with closing(KafkaWriter(settings, lambda _: 0)) as writer:
        writer.publish(marked_frame(0))
        eventually(lambda: writer.acknowledged == 1, "the frame arrives")
        assert is_on_disk(broker, settings.topic)
        with steady_stream(writer):
            eventually(
                lambda: not is_on_disk(broker, settings.topic), "the picture is gone", frames.total_s + SLACK
            )


def test_a_rejected_picture_is_not_kept_in_the_dead_letter_queue(broker: Broker) -> None:
    settings = fresh_topic(broker)
    with (
        closing(KafkaWriter(settings, lambda _: 0)) as writer,
        closing(KafkaReader(settings, Shelf())) as reader,
    ):
        writer.publish(marked_frame(0))
        (record,) = gather(reader, 1).records
        reader.reject(record, "damaged")
    assert is_on_disk(broker, settings.topic), "the frame itself"
    assert not is_on_disk(broker, settings.dead_letters)


def test_an_operator_may_keep_originals(broker: Broker) -> None:
    settings = fresh_topic(broker)
    with (
        closing(KafkaWriter(settings, lambda _: 0)) as writer,
        closing(KafkaReader(settings, Shelf(), dead_letter_originals=True)) as reader,
    ):
        writer.publish(marked_frame(0))
        (record,) = gather(reader, 1).records
        reader.reject(record, "damaged")
    assert is_on_disk(broker, settings.dead_letters)


@pytest.mark.parametrize(
    ("check_s", "state"),
    [(None, "optional"), (300.0, "optional"), (30.0, "ok")],
    ids=["unknown", "default", "short"],
)
def test_the_check_names_the_brokers_setting_where_it_is_the_longest_part(
    check_s: float | None, state: str
) -> None:
    check = checks.disk_time(DiskTime("frames", 60, 12, 1, check_s), 60)
    assert check.state == state
    assert "log.retention.check.interval.ms" in check.found
    assert ("log.retention.check.interval.ms=30000" in check.fix) == (state == "optional")


def test_the_doctor_states_the_time_and_finds_a_topic_that_keeps_pictures_longer(
    broker: Broker, tmp_path: object
) -> None:
    settings = fresh_topic(broker)
    given = load(bus=f"kafka://{broker.address}/{settings.topic}", topic_minutes=5)
    partitions, frames, letters = checks.kafka(given)
    assert [partitions.state, frames.state, letters.state] == ["ok", "ok", "ok"]
    assert frames.found.startswith("at most 6.03 min: 5 min of retention, 1 min of a segment")
    alter(settings, {"retention.ms": "86400000", "message.timestamp.type": "CreateTime"})
    eventually(lambda: checks.kafka(given)[1].state == "missing", "the broker has the configuration")
    frames = checks.kafka(given)[1]
    assert frames.state == "missing"
    assert "message.timestamp.type=CreateTime" in frames.found
    assert "1 days of retention" in frames.found
    assert "mien topics create" in frames.fix


def alter(settings: KafkaSettings, configs: dict[str, str]) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=settings.servers[0])) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.topic, configs)])


def test_the_doctor_reports_a_missing_topic(broker: Broker) -> None:
    (check,) = checks.kafka(load(bus=f"kafka://{broker.address}/nowhere"))
    assert check.state == "missing"
    assert "no topic nowhere" in check.found
    assert "mien topics create" in check.found


def test_topics_create_prints_how_long_pictures_lie_on_disks(broker: Broker, tmp_path: object) -> None:
    topic = fresh_topic(broker).topic
    done = mien(
        tmp_path,  # type: ignore[arg-type]
        "topics",
        "create",
        variables={"MIEN_BUS": f"kafka://{broker.address}/{topic}", "MIEN_PARTITIONS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "at most 6.03 min" in done.stdout
    assert "log.retention.check.interval.ms" in done.stdout


def test_the_time_of_a_missing_topic_is_refused(broker: Broker) -> None:
    with pytest.raises(TopicError, match="no topic nowhere"):
        disk_times(parse_url(f"kafka://{broker.address}/nowhere", {}))


def test_a_topic_that_a_broker_does_not_know_yet_is_waited_for(broker: Broker) -> None:
    settings = parse_url(f"kafka://{broker.address}/later-{uuid.uuid4().hex}", {})
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(disk_times, settings, 60)
        create_topics(settings, 1, retention_minutes=5)
        frames, _ = found.result()
    assert frames.retention_s == 300
