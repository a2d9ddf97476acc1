"""Scan of the dead-letter queue, and of further topics of Mien, for pictures and vectors.

The topic of frames holds pictures by design, for minutes; its records are not read here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bus.errors import BrokerUnavailable
from bus.kafka.client import open_client
from bus.kafka.settings import KafkaSettings
from common.picture_traces import find_traces

SAMPLE_RECORDS = 2000
"""The newest records of each partition that are read, unless all are."""

_POLL_MS = 1000
_SILENCE_S = 10.0
"""Seconds without a record after which a topic that should have further ones is given up."""


@dataclass(frozen=True, slots=True)
class TopicScan:
    """What was read of one topic: records of `total`, and the traces with their number of records."""

    topic: str
    records: int
    total: int
    found: tuple[tuple[str, int], ...]
    problem: str = ""


def scan_topics(settings: KafkaSettings, *, everything: bool = False) -> Iterator[TopicScan]:
    """Scan the dead-letter queue, and every topic whose name begins with that of the frames and a full stop.

    Raises the errors of `open_client`, and BrokerUnavailable where the cluster stops answering.
    """
    consumer = open_client(
        KafkaConsumer, settings, enable_auto_commit=False, group_id=None, auto_offset_reset="earliest"
    )
    try:
        topics = sorted(each for each in consumer.topics() if each.startswith(f"{settings.topic}."))
        for topic in sorted({settings.dead_letters, *topics}):
            yield _scan_topic(consumer, topic, everything)
    except KafkaError as error:
        raise BrokerUnavailable(f"{settings.where}: {error}") from error
    finally:
        consumer.close()


def _scan_topic(consumer: KafkaConsumer, topic: str, everything: bool) -> TopicScan:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        return TopicScan(topic, 0, 0, (), "does not exist, or this user may not read it")
    parts = [TopicPartition(topic, number) for number in sorted(numbers)]
    first, last = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    total = sum(last[part] - first[part] for part in parts)
    consumer.assign(parts)
    left = 0
    for part in parts:
        start = first[part] if everything else max(first[part], last[part] - SAMPLE_RECORDS)
        consumer.seek(part, start)
        left += last[part] - start
    found: dict[str, int] = {}
    records = 0
    deadline = time.monotonic() + _SILENCE_S
    while any(consumer.position(part) < last[part] for part in parts):
        batch = [each for these in consumer.poll(timeout_ms=_POLL_MS).values() for each in these]
        if batch:
            deadline = time.monotonic() + _SILENCE_S
        elif time.monotonic() > deadline:
            return TopicScan(topic, records, total, tuple(found.items()), "the broker sends no more records")
        for record in batch:
            records += 1
            for trace in dict.fromkeys(_traces(record)):
                found[trace] = found.get(trace, 0) + 1
    return TopicScan(topic, records, total, tuple(found.items()))


def _traces(record: Any) -> Iterable[str]:
    for part in (record.key, record.value, *(value for _, value in record.headers)):
        if part:
            yield from find_traces(bytes(part))
