"""What truly lies in Kafka: read by a plain consumer, beside everything that Mien has for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from bus import codec
from bus.kafka.settings import KafkaSettings
from tests.chaos.cameras import CAMERAS

_TIMEOUT_MS = 60_000


@dataclass
class Log:
    """The frames of one run of the cameras.

    `frames`: per camera the `seq` of those that came in order, each once: those a worker has to count.
    `late`: per camera those that came after a younger one, which a reader has to leave out. `doubled`:
    records of a frame that was there before. `ends`: the next offset of each partition. `first`: the
    oldest offset that is still there.
    """

    frames: Mapping[str, list[int]] = field(default_factory=lambda: {each: [] for each in CAMERAS})
    late: Mapping[str, set[int]] = field(default_factory=lambda: {each: set() for each in CAMERAS})
    doubled: int = 0
    ends: dict[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)


def read_log(cluster: KafkaSettings, epoch: int) -> Log:
    """Everything in the topic of frames that was captured in `epoch`."""
    log = Log()
    known: dict[str, set[int]] = {camera: set() for camera in CAMERAS}
    with closing(_consumer(cluster)) as consumer:
        for record in _records(consumer, cluster.topic, log):
            headers = dict(record.headers)
            if headers.get("epoch") != b"%d" % epoch:
                continue
            frame = codec.decode(headers, record.value)
            seen = log.frames[frame.camera_id]
            if frame.seq in known[frame.camera_id]:
                log.doubled += 1
            elif seen and frame.seq < seen[-1]:
                log.late[frame.camera_id].add(frame.seq)
            else:
                seen.append(frame.seq)
            known[frame.camera_id].add(frame.seq)
    return log


def read_dead_letters(cluster: KafkaSettings) -> list[tuple[dict[str, bytes], bytes | None]]:
    """Headers and value of every dead letter."""
    with closing(_consumer(cluster)) as consumer:
        records = _records(consumer, cluster.dead_letters, Log())
        return [(dict(record.headers), record.value) for record in records]


def _consumer(cluster: KafkaSettings) -> KafkaConsumer:
    return KafkaConsumer(
        **cluster.connection(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )


def _records(consumer: KafkaConsumer, topic: str, log: Log) -> Iterator[ConsumerRecord]:
    """All records of a topic, each partition in order; notes where the partitions begin and end."""
    keys = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(keys)
    first, ends = consumer.beginning_offsets(keys), consumer.end_offsets(keys)
    log.first |= {key.partition: offset for key, offset in first.items()}
    log.ends |= {key.partition: offset for key, offset in ends.items()}
    consumer.seek_to_beginning(*keys)
    while any(consumer.position(key) < ends[key] for key in keys):
        fetched = consumer.poll(_TIMEOUT_MS, 500)
        assert fetched, f"{topic}: the broker does not give what it has"
        for found in fetched.values():
            yield from found
