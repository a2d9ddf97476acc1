"""The topics that Mien creates on a real broker."""

from __future__ import annotations

import pytest

from bus.errors import TopicError
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import parse_url
from bus.kafka.topics import create_topics, partition_count
from tests.support.brokers import Broker
from tests.support.buses import KAFKA, Shelf, configuration, eventually, fresh_topic

pytestmark = KAFKA


def test_topics_are_created_once_and_keep_frames_for_minutes(broker: Broker) -> None:
    settings = parse_url(f"kafka://{broker.address}/shop", {})
    assert create_topics(settings, 6, retention_minutes=5) == ("shop", "shop.dlq")
    assert partition_count(settings) == 6
    frames = configuration(settings, "shop")
    assert frames["retention.ms"] == "300000"
    assert frames["segment.ms"] == "60000"
    assert frames["file.delete.delay.ms"] == "1000"
    assert frames["message.timestamp.type"] == "LogAppendTime"
    assert int(frames["retention.bytes"]) > 0
    assert int(frames["max.message.bytes"]) > 2_000_000
    assert int(configuration(settings, "shop.dlq")["retention.bytes"]) > 0


def test_creating_them_again_changes_only_the_configuration(broker: Broker) -> None:
    settings = fresh_topic(broker, 3)
    assert create_topics(settings, 2, retention_minutes=7) == ()
    assert partition_count(settings) == 3
    eventually(lambda: configuration(settings, settings.topic)["retention.ms"] == "420000", "it is changed")


def test_a_topic_with_too_few_partitions_stays_unchanged(broker: Broker) -> None:
    settings = fresh_topic(broker, 2)
    with pytest.raises(TopicError, match="has 2 partitions, 4 are wanted: run at most 2 workers"):
        create_topics(settings, 4, retention_minutes=9)
    assert partition_count(settings) == 2
    assert configuration(settings, settings.topic)["retention.ms"] == "300000"


def test_more_copies_than_brokers_are_refused(broker: Broker) -> None:
    settings = parse_url(f"kafka://{broker.address}/copies", {})
    with pytest.raises(TopicError, match="3 copies of each partition"):
        create_topics(settings, 1, replication=3)


def test_a_topic_with_too_few_copies_stays_unchanged(broker: Broker) -> None:
    settings = fresh_topic(broker, 2)
    with pytest.raises(TopicError, match="copies of each partition: 1, 3 are wanted: set topic_copies to 1"):
        create_topics(settings, 2, retention_minutes=9, replication=3)
    assert configuration(settings, settings.topic)["retention.ms"] == "300000"


def test_a_missing_topic_is_named_with_the_command_that_creates_it(broker: Broker) -> None:
    settings = parse_url(f"kafka://{broker.address}/nowhere", {})
    with pytest.raises(TopicError, match="no topic nowhere: run `mien topics create`"):
        partition_count(settings)
    with pytest.raises(TopicError, match="run `mien topics create`"):
        KafkaReader(settings, Shelf())
