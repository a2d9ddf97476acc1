"""Workers on Kafka: whatever happens in the group, the sink has every acknowledged frame exactly once."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from bus import codec
from bus.kafka import dead_letters
from bus.kafka.reader import KafkaReader
from bus.kafka.settings import KafkaSettings
from bus.kafka.topics import partition_count
from bus.kafka.writer import KafkaWriter
from bus.messages import Frame, Partition, Positions
from bus.sinks import SinkFenced, SinkUnavailable
from bus.transport import Batch
from tests.support.brokers import Broker
from tests.support.buses import (
    KAFKA,
    PATIENCE_SECONDS,
    Shelf,
    eventually,
    frame,
    fresh_topic,
    gather,
    sequence,
)

pytestmark = KAFKA

CAMERAS = ("a", "b", "c", "d")
FAR = PATIENCE_SECONDS


class Sink:
    """A SQLite file that stores frames and positions in one transaction; each worker has its own object.

    It fences a worker whose partition was processed further by another worker, as every sink must. A frame
    that a producer sent again is stored once.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        for table in ("frames (camera, seq)", "offsets (topic, number, next, PRIMARY KEY (topic, number))"):
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        self._held: dict[Partition, int | None] = {}

    def resume(self, partitions: Iterable[Partition]) -> Positions:
        rows = self._connection.execute("SELECT topic, number, next FROM offsets").fetchall()
        stored = {Partition(topic, number): position for topic, number, position in rows}
        self._held |= {each: stored.get(each) for each in partitions}
        return {each: stored[each] for each in partitions if each in stored}

    def write(self, batch: Batch) -> None:
        frames = [codec.decode(record.headers, record.value) for record in batch.records]
        with self._transaction():
            for partition, position in batch.positions.items():
                self._move(partition, position)
            for each in frames:
                if each.seq > self._last(each.camera_id):
                    self._connection.execute("INSERT INTO frames VALUES (?, ?)", (each.camera_id, each.seq))
        self._held |= batch.positions

    def _last(self, camera_id: str) -> int:
        query = "SELECT coalesce(max(seq), -1) FROM frames WHERE camera = ?"
        return int(self._connection.execute(query, (camera_id,)).fetchone()[0])

    def frames(self) -> list[tuple[str, int]]:
        return self._connection.execute("SELECT camera, seq FROM frames ORDER BY camera, seq").fetchall()

    def close(self) -> None:
        self._connection.close()

    def _move(self, partition: Partition, position: int) -> None:
        found = self._connection.execute("SELECT next FROM offsets WHERE topic = ? AND number = ?", partition)
        row = found.fetchone()
        if (row and row[0]) != self._held.get(partition):
            raise SinkFenced(f"{partition}: holds {row}, expected {self._held.get(partition)}")
        self._connection.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", (*partition, position))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


class Worker:
    """Polls, stores and acknowledges in its own thread until `end` is called or everything is read."""

    def __init__(self, settings: KafkaSettings, path: Path, *, drain: bool = False) -> None:
        self.revoked: set[Partition] = set()
        self.stored = 0
        self._settings, self._path, self._drain = settings, path, drain
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Stop; raises the error of the thread, if any."""
        self._stop.set()
        self.join()

    def join(self) -> None:
        """Wait until it ends by itself; raises the error of the thread, if any."""
        self._thread.join(timeout=FAR)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            with (
                closing(Sink(self._path)) as sink,
                closing(KafkaReader(self._settings, sink.resume, drain=self._drain)) as reader,
            ):
                while not self._stop.is_set():
                    batch = reader.poll(limit=16, timeout=0.25)
                    self.revoked |= batch.revoked
                    sink.write(batch)
                    reader.acknowledge(batch.positions)
                    self.stored += len(batch.records)
                    if batch.ended:
                        return
        except BaseException as error:  # noqa: BLE001 - `join` raises it in the test
            self._error = error


@contextmanager
def publishing(settings: KafkaSettings, cameras: tuple[str, ...] = CAMERAS) -> Iterator[set[tuple[str, int]]]:
    """One camera per partition, 50 frames per second; yields the acknowledged frames, complete at the end."""
    acknowledged: set[tuple[str, int]] = set()
    writer = KafkaWriter(
        settings, cameras.index, on_acknowledged=lambda camera, _, seq: acknowledged.add((camera, seq))
    )
    stop = threading.Event()

    def publish() -> None:
        seq = 0
        while not stop.wait(0.02):
            for camera in cameras:
                writer.publish(frame(seq, camera))
            seq += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()
        writer.close()


def send(settings: KafkaSettings, frames: Iterable[Frame], partition: int = 0) -> None:
    """Send frames as they are, repetitions included."""
    with closing(KafkaProducer(bootstrap_servers=settings.servers[0], enable_idempotence=False)) as producer:
        for each in frames:
            headers, value = codec.encode(each)
            producer.send(settings.topic, value, headers=list(headers), partition=partition)
        producer.flush(timeout=FAR)


@contextmanager
def administrator(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=settings.servers[0])) as admin:
        yield admin


def delete_before(settings: KafkaSettings, offset: int) -> None:
    """Delete records as retention does, but at once."""
    with administrator(settings) as admin:
        admin.delete_records({TopicPartition(settings.topic, 0): offset})


@pytest.fixture
def read(request: pytest.FixtureRequest) -> Callable[..., KafkaReader]:
    """A function that creates readers, which are closed at the end."""

    def make(*arguments: object, **options: object) -> KafkaReader:
        reader = KafkaReader(*arguments, **options)  # type: ignore[arg-type]
        request.addfinalizer(reader.close)
        return reader

    return make


def test_workers_that_join_and_leave_lose_and_double_nothing(broker: Broker, tmp_path: Path) -> None:
    settings, path = fresh_topic(broker, len(CAMERAS)), tmp_path / "sink.db"
    with publishing(settings) as acknowledged:
        first = Worker(settings, path)
        eventually(lambda: first.stored > 50, "the first worker stores")
        second = Worker(settings, path)
        eventually(lambda: second.stored > 50, "the second worker stores")
        # The first worker learns of the new assignment up to half a second after the second one.
        eventually(lambda: len(first.revoked) == 2, "half of its partitions are revoked")
        before = first.stored
        eventually(lambda: first.stored > before + 50, "the first worker continues")
        first.end()
        third = Worker(settings, path)
        eventually(lambda: third.stored > 50, "the third worker stores")
        second.end()
    third.end()
    Worker(settings, path, drain=True).join()
    with closing(Sink(path)) as sink:
        assert sink.frames() == sorted(acknowledged)


def test_a_silent_worker_loses_its_partitions_and_its_late_results_are_fenced(
    broker: Broker, tmp_path: Path, read: Callable[..., KafkaReader]
) -> None:
    settings, path = fresh_topic(broker), tmp_path / "sink.db"
    send(settings, [frame(seq) for seq in range(10)])
    with closing(Sink(path)) as zombie, closing(Sink(path)) as heir:
        silent = read(settings, zombie.resume, max_silence=6)
        zombie.write(gather(silent, 2))
        late = gather(silent, 2)
        successor = read(settings, heir.resume, max_silence=6)
        heir.write(gather(successor, 8))
        with pytest.raises(SinkFenced):
            zombie.write(late)
        batch = silent.poll(limit=10, timeout=0.1)
        eventually(lambda: bool(batch.revoked or silent.poll(10, 0.1).revoked), "the partitions are revoked")
        assert zombie.frames() == [("till", seq) for seq in range(10)]


def test_a_worker_that_waits_keeps_its_partitions(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(seq) for seq in range(4)])
    reader = read(settings, shelf, max_silence=6)
    shelf.store(reader, gather(reader, 2).positions)
    for _ in range(40):
        reader.hold(0.25)
    batch = gather(reader, 2)
    assert sequence(batch.records) == [2, 3]
    assert not batch.revoked


def test_a_sink_that_is_unavailable_at_first_only_delays(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings, failures = fresh_topic(broker), iter([True] * 3)
    send(settings, [frame(0)])

    def resume(partitions: Iterable[Partition]) -> Positions:
        if next(failures, False):
            raise SinkUnavailable("database is unavailable")
        return {}

    reader = read(settings, resume)
    assert sequence(gather(reader, 1).records) == [0]


def test_a_rebalance_that_starts_with_new_metadata_completes(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings = fresh_topic(broker, 1)
    send(settings, [frame(0)])
    reader = read(settings, Shelf())
    gather(reader, 1)
    with administrator(settings) as admin:
        admin.create_partitions({settings.topic: 2})
    eventually(lambda: partition_count(settings) == 2, "the broker knows the partition")
    send(settings, [frame(0, "late")], partition=1)
    reader._consumer._cluster.request_update()
    found: list[int] = []
    eventually(
        lambda: found.extend(sequence(reader.poll(1, 0).records, "late")) or bool(found), "all is read"
    )


@pytest.mark.parametrize("originals", [False, True])
def test_a_poison_record_reaches_the_dead_letter_queue_with_its_value_only_if_wanted(
    broker: Broker, read: Callable[..., KafkaReader], originals: bool
) -> None:
    settings = fresh_topic(broker)
    send(settings, [frame(0), frame(1)])
    reader = read(settings, Shelf(), dead_letter_originals=originals)
    poison = gather(reader, 2).records[1]
    reader.reject(poison, "not a JPEG: é")
    consumer = KafkaConsumer(
        settings.dead_letters,
        bootstrap_servers=settings.servers[0],
        auto_offset_reset="earliest",
        consumer_timeout_ms=FAR * 1000,
    )
    with closing(consumer):
        letter = next(consumer)
    headers = dict(letter.headers)
    assert letter.value == (poison.value if originals else b"")
    assert headers[dead_letters.SIZE] == b"%d" % len(poison.value)
    assert headers[dead_letters.SHA256] == hashlib.sha256(poison.value).hexdigest().encode()
    assert {name: headers[name] for name, _ in poison.headers} == dict(poison.headers)
    assert headers[dead_letters.ERROR] == "not a JPEG: é".encode()
    assert headers[dead_letters.TOPIC] == settings.topic.encode()
    assert (headers[dead_letters.PARTITION], headers[dead_letters.OFFSET]) == (b"0", b"1")


def test_long_headers_of_a_poison_record_are_cut(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    """A header can contain a picture as well."""
    settings = fresh_topic(broker)
    picture = b"\xff\xd8" + b"p" * 5000
    with closing(KafkaProducer(bootstrap_servers=settings.servers[0])) as producer:
        producer.send(settings.topic, b"x", headers=[("camera", picture)] * 50).get(timeout=FAR)
    reader = read(settings, Shelf())
    (poison,) = gather(reader, 1).records
    reader.reject(poison, "no frame")
    consumer = KafkaConsumer(
        settings.dead_letters,
        bootstrap_servers=settings.servers[0],
        auto_offset_reset="earliest",
        consumer_timeout_ms=FAR * 1000,
    )
    with closing(consumer):
        letter = next(consumer)
    assert sum(len(value) for _, value in letter.headers) < 2000


@pytest.mark.parametrize(("stored", "expected", "expired"), [(2, [5, 6, 7], 3), (100, [5, 6, 7], 0)])
def test_a_position_that_kafka_no_longer_has_resumes_with_the_oldest_frame(
    broker: Broker, read: Callable[..., KafkaReader], stored: int, expected: list[int], expired: int
) -> None:
    settings = fresh_topic(broker)
    send(settings, [frame(seq) for seq in range(8)])
    delete_before(settings, 5)
    reader = read(settings, Shelf({Partition(settings.topic, 0): stored}))
    assert sequence(gather(reader, 3).records) == expected
    assert reader.expired == expired


def test_frames_that_kafka_deletes_before_they_are_read_are_counted(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(0), frame(1)])
    reader = read(settings, shelf)
    shelf.store(reader, gather(reader, 2).positions)
    reader.hold(3)  # Nothing is fetched in the meantime, as when the worker is busy.
    send(settings, [frame(seq) for seq in range(2, 8)])
    delete_before(settings, 6)
    assert sequence(gather(reader, 2).records) == [6, 7]
    assert reader.expired == 4


def test_draining_ends_with_the_records_that_existed_before(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings, shelf = fresh_topic(broker, 3), Shelf()  # One partition stays empty.
    send(settings, [frame(seq, "a") for seq in range(20)])
    send(settings, [frame(seq, "b") for seq in range(5)], partition=1)
    reader = read(settings, shelf, drain=True)
    send(settings, [frame(seq, "a") for seq in range(20, 500)])
    seen: list[int] = []

    def ended() -> bool:
        batch = reader.poll(limit=4, timeout=0.1)
        seen.extend(sequence(batch.records, "a") + sequence(batch.records, "b"))
        shelf.store(reader, batch.positions)
        return batch.ended

    eventually(ended, "it ends")
    assert seen.count(4) == 2
    assert set(range(20)) <= set(seen)


def test_lag_counts_records_that_were_not_delivered(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings = fresh_topic(broker)
    send(settings, [frame(seq) for seq in range(8)])
    reader = read(settings, Shelf())
    gather(reader, 3, limit=1)
    assert reader.lag() == {Partition(settings.topic, 0): 5}


def test_the_committed_offsets_show_what_is_stored(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(seq) for seq in range(3)])
    reader = read(settings, shelf)
    shelf.store(reader, gather(reader, 3).positions)
    reader.close()

    def committed() -> dict[int, int]:
        with administrator(settings) as admin:
            offsets = admin.list_group_offsets([settings.group])[settings.group]
        return {key.partition: found.offset for key, found in offsets.items()}

    eventually(lambda: committed() == {0: 3}, "the offsets are committed")


def test_a_worker_survives_a_crash_of_its_broker(broker: Broker, tmp_path: Path) -> None:
    settings, path = fresh_topic(broker, 2), tmp_path / "sink.db"
    worker = Worker(settings, path)
    with publishing(settings, CAMERAS[:2]) as acknowledged:
        eventually(lambda: worker.stored > 50, "the worker stores")
        broker.kill()
        broker.start()
        before = worker.stored
        eventually(lambda: worker.stored > before + 100, "the worker continues")
    worker.end()
    Worker(settings, path, drain=True).join()
    with closing(Sink(path)) as sink:
        frames = sink.frames()
    assert len(frames) == len(set(frames))
    assert acknowledged <= set(frames)
