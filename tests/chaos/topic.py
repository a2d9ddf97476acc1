"""What a topic really holds: read by a plain consumer that shares no code with Mien's reader."""

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
class TopicContents:
    """The frames of one run of the cameras, and where the partitions begin and end.

    Attributes:
        frames: per camera the sequence numbers that arrived in order, each once: those a worker must count.
        late: per camera the sequence numbers that arrived after a younger frame: a reader must skip them.
        duplicates: how many records repeat a frame that arrived before.
        ends: the next offset of each partition.
        first: the oldest offset that each partition still has.
    """

    frames: Mapping[str, list[int]] = field(default_factory=lambda: {each: [] for each in CAMERAS})
    late: Mapping[str, set[int]] = field(default_factory=lambda: {each: set() for each in CAMERAS})
    duplicates: int = 0
    ends: dict[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)


def read_frames(cluster: KafkaSettings, epoch: int) -> TopicContents:
    """All frames in the topic that were captured in `epoch`."""
    contents = TopicContents()
    known: dict[str, set[int]] = {camera: set() for camera in CAMERAS}
    with closing(_consumer(cluster)) as consumer:
        for record in _records(consumer, cluster.topic, contents):
            headers = dict(record.headers)
            if headers.get("epoch") != b"%d" % epoch:
                continue
            frame = codec.decode(record.headers, record.value)
            seen = contents.frames[frame.camera_id]
            if frame.seq in known[frame.camera_id]:
                contents.duplicates += 1
            elif seen and frame.seq < seen[-1]:
                contents.late[frame.camera_id].add(frame.seq)
            else:
                seen.append(frame.seq)
            known[frame.camera_id].add(frame.seq)
    return contents


@dataclass
class CapturedFrames:
    """What `mien ingest` published: per camera and epoch the capture time of each sequence number."""

    frames: Mapping[str, dict[int, dict[int, int]]] = field(
        default_factory=lambda: {each: {} for each in CAMERAS}
    )
    contents: TopicContents = field(default_factory=TopicContents)

    def count(self, camera: str) -> int:
        """Number of different frames of a camera."""
        return sum(map(len, self.frames[camera].values()))


def read_captured_frames(cluster: KafkaSettings) -> CapturedFrames:
    """All frames in the topic, whichever process captured them."""
    found = CapturedFrames()
    with closing(_consumer(cluster)) as consumer:
        for record in _records(consumer, cluster.topic, found.contents):
            frame = codec.decode(record.headers, record.value)
            times = found.frames[frame.camera_id].setdefault(frame.epoch, {})
            found.contents.duplicates += frame.seq in times
            times.setdefault(frame.seq, frame.captured_at)
    return found


def read_dead_letters(cluster: KafkaSettings) -> list[tuple[dict[str, bytes], bytes | None]]:
    """Headers and value of every record in the dead-letter queue."""
    with closing(_consumer(cluster)) as consumer:
        records = _records(consumer, cluster.dead_letters, TopicContents())
        return [(dict(record.headers), record.value) for record in records]


def _consumer(cluster: KafkaSettings) -> KafkaConsumer:
    return KafkaConsumer(
        **cluster.connection(), group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )


def _records(consumer: KafkaConsumer, topic: str, contents: TopicContents) -> Iterator[ConsumerRecord]:
    """All records of a topic, each partition in order; stores where the partitions begin and end."""
    keys = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(keys)
    first, ends = consumer.beginning_offsets(keys), consumer.end_offsets(keys)
    contents.first |= {key.partition: offset for key, offset in first.items()}
    contents.ends |= {key.partition: offset for key, offset in ends.items()}
    consumer.seek_to_beginning(*keys)
    while any(consumer.position(key) < ends[key] for key in keys):
        fetched = consumer.poll(_TIMEOUT_MS, 500)
        assert fetched, f"{topic}: the broker does not send the records that it has"
        for found in fetched.values():
            yield from found
