"""Workers on Kafka: whatever happens to the group, the sink has every acknowledged frame exactly once."""

from __future__ import annotations

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
from bus.kafka.writer import KafkaWriter
from bus.messages import Frame, Partition, Positions
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


class Fenced(Exception):
    """Somebody else stored a position of these partitions meanwhile."""


class Sink:
    """A database file: frames and positions in one transaction; one object for each worker.

    As a sink has to, it refuses a worker whose partition has moved on without it.
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
            rows = [(each.camera_id, each.seq) for each in frames]
            self._connection.executemany("INSERT INTO frames VALUES (?, ?)", rows)
        self._held |= batch.positions

    def frames(self) -> list[tuple[str, int]]:
        return self._connection.execute("SELECT camera, seq FROM frames ORDER BY camera, seq").fetchall()

    def close(self) -> None:
        self._connection.close()

    def _move(self, partition: Partition, position: int) -> None:
        found = self._connection.execute("SELECT next FROM offsets WHERE topic = ? AND number = ?", partition)
        row = found.fetchone()
        if (row and row[0]) != self._held.get(partition):
            raise Fenced(f"{partition}: holds {row}, expected {self._held.get(partition)}")
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
    """Polls, stores and acknowledges on a thread of its own until it is told to stop or all is read."""

    def __init__(self, settings: KafkaSettings, path: Path, *, drain: bool = False) -> None:
        self.revoked: set[Partition] = set()
        self.stored = 0
        self._settings, self._path, self._drain = settings, path, drain
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Stop; raises what went wrong on the thread."""
        self._stop.set()
        self.join()

    def join(self) -> None:
        """Wait until it ended by itself; raises what went wrong on the thread."""
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
        except BaseException as error:  # noqa: BLE001 - told to the test by `join`
            self._error = error


@contextmanager
def filming(settings: KafkaSettings, cameras: tuple[str, ...] = CAMERAS) -> Iterator[set[tuple[str, int]]]:
    """One camera a partition, 50 frames a second each; the frames that a broker has, complete at the end."""
    acknowledged: set[tuple[str, int]] = set()
    writer = KafkaWriter(
        settings, cameras.index, on_acknowledged=lambda camera, _, seq: acknowledged.add((camera, seq))
    )
    stop = threading.Event()

    def film() -> None:
        seq = 0
        while not stop.wait(0.02):
            for camera in cameras:
                writer.publish(frame(seq, camera))
            seq += 1

    thread = threading.Thread(target=film)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join()
        writer.close()


def send(settings: KafkaSettings, frames: Iterable[Frame], partition: int = 0) -> None:
    """Put frames on the bus as they are, doubles too."""
    with closing(KafkaProducer(bootstrap_servers=settings.servers[0], enable_idempotence=False)) as producer:
        for each in frames:
            headers, value = codec.encode(each)
            producer.send(settings.topic, value, headers=list(headers.items()), partition=partition)
        producer.flush(timeout=FAR)


@contextmanager
def administrator(settings: KafkaSettings) -> Iterator[KafkaAdminClient]:
    with closing(KafkaAdminClient(bootstrap_servers=settings.servers[0])) as admin:
        yield admin


def delete_before(settings: KafkaSettings, offset: int) -> None:
    """What retention does, at once."""
    with administrator(settings) as admin:
        admin.delete_records({TopicPartition(settings.topic, 0): offset})


@pytest.fixture
def read(request: pytest.FixtureRequest) -> Callable[..., KafkaReader]:
    """Makes readers that are closed at the end."""

    def make(*arguments: object, **options: object) -> KafkaReader:
        reader = KafkaReader(*arguments, **options)  # type: ignore[arg-type]
        request.addfinalizer(reader.close)
        return reader

    return make


def test_workers_that_come_and_go_lose_and_double_nothing(broker: Broker, tmp_path: Path) -> None:
    settings, path = fresh_topic(broker, len(CAMERAS)), tmp_path / "sink.db"
    with filming(settings) as acknowledged:
        first = Worker(settings, path)
        eventually(lambda: first.stored > 50, "the first worker stores")
        second = Worker(settings, path)
        eventually(lambda: second.stored > 50, "the second worker stores")
        assert len(first.revoked) == 2, "it gave away half of its partitions"
        before = first.stored
        eventually(lambda: first.stored > before + 50, "the first worker goes on")
        first.end()
        third = Worker(settings, path)
        eventually(lambda: third.stored > 50, "the third worker stores")
        second.end()
    third.end()
    Worker(settings, path, drain=True).join()
    with closing(Sink(path)) as sink:
        assert sink.frames() == sorted(acknowledged)


def test_a_worker_that_fell_silent_is_told_and_its_late_results_are_refused(
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
        with pytest.raises(Fenced):
            zombie.write(late)
        batch = silent.poll(limit=10, timeout=0.1)
        eventually(lambda: bool(batch.revoked or silent.poll(10, 0.1).revoked), "it is told")
        assert zombie.frames() == [("till", seq) for seq in range(10)]


def test_a_worker_that_holds_keeps_its_partitions(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(seq) for seq in range(4)])
    reader = read(settings, shelf, max_silence=6)
    shelf.store(reader, gather(reader, 2).positions)
    for _ in range(40):
        reader.hold(0.25)
    batch = gather(reader, 2)
    assert sequence(batch.records) == [2, 3]
    assert not batch.revoked


def test_a_sink_that_is_away_at_first_only_delays(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings, failures = fresh_topic(broker), iter([True] * 3)
    send(settings, [frame(0)])

    def resume(partitions: Iterable[Partition]) -> Positions:
        if next(failures, False):
            raise ConnectionError("the database is away")
        return {}

    reader = read(settings, resume, outages=(ConnectionError,))
    assert sequence(gather(reader, 1).records) == [0]


def test_a_rebalance_that_begins_with_new_metadata_is_not_forgotten(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings = fresh_topic(broker, 1)
    send(settings, [frame(0)])
    reader = read(settings, Shelf())
    gather(reader, 1)
    with administrator(settings) as admin:
        admin.create_partitions({settings.topic: 2})
    send(settings, [frame(0, "late")], partition=1)
    reader._consumer._cluster.request_update()
    found: list[int] = []
    eventually(
        lambda: found.extend(sequence(reader.poll(1, 0).records, "late")) or bool(found), "all is read"
    )


def test_poison_lies_among_the_dead_letters_as_it_came(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings = fresh_topic(broker)
    send(settings, [frame(0), frame(1)])
    reader = read(settings, Shelf())
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
    assert letter.value == poison.value
    assert {name: headers[name] for name in poison.headers} == dict(poison.headers)
    assert headers[dead_letters.ERROR] == "not a JPEG: é".encode()
    assert headers[dead_letters.TOPIC] == settings.topic.encode()
    assert (headers[dead_letters.PARTITION], headers[dead_letters.OFFSET]) == (b"0", b"1")


def test_what_comes_twice_is_handed_out_once_even_to_the_next_worker(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(seq) for seq in (0, 1, 2, 0, 1, 2)])
    reader = read(settings, shelf)
    shelf.store(reader, gather(reader, 2).positions)
    reader.close()
    send(settings, [frame(seq) for seq in (1, 2, 3)])
    heir = read(settings, shelf, drain=True)
    batch = gather(heir, 2)
    assert sequence(batch.records) == [2, 3]
    assert batch.positions == {Partition(settings.topic, 0): 9}
    heir.acknowledge(batch.positions)
    assert heir.poll(limit=10, timeout=0.1).ended


@pytest.mark.parametrize(("stored", "expected", "expired"), [(2, [5, 6, 7], 3), (100, [5, 6, 7], 0)])
def test_a_position_that_kafka_does_not_have_goes_on_with_the_oldest_frame(
    broker: Broker, read: Callable[..., KafkaReader], stored: int, expected: list[int], expired: int
) -> None:
    settings = fresh_topic(broker)
    send(settings, [frame(seq) for seq in range(8)])
    delete_before(settings, 5)
    reader = read(settings, Shelf({Partition(settings.topic, 0): stored}))
    assert sequence(gather(reader, 3).records) == expected
    assert reader.expired == expired


def test_frames_that_are_deleted_under_a_reader_are_told(
    broker: Broker, read: Callable[..., KafkaReader]
) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(0), frame(1)])
    reader = read(settings, shelf)
    shelf.store(reader, gather(reader, 2).positions)
    reader.hold(1)  # Nothing is fetched meanwhile, as when the worker is busy.
    send(settings, [frame(seq) for seq in range(2, 8)])
    delete_before(settings, 6)
    assert sequence(gather(reader, 2).records) == [6, 7]
    assert reader.expired == 4


def test_draining_ends_with_what_was_there_before(broker: Broker, read: Callable[..., KafkaReader]) -> None:
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


def test_lag_is_what_was_not_handed_out(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings = fresh_topic(broker)
    send(settings, [frame(seq) for seq in range(8)])
    reader = read(settings, Shelf())
    gather(reader, 3, limit=1)
    assert reader.lag() == {Partition(settings.topic, 0): 5}


def test_the_group_s_offsets_show_what_is_stored(broker: Broker, read: Callable[..., KafkaReader]) -> None:
    settings, shelf = fresh_topic(broker), Shelf()
    send(settings, [frame(seq) for seq in range(3)])
    reader = read(settings, shelf)
    shelf.store(reader, gather(reader, 3).positions)
    reader.close()
    with administrator(settings) as admin:
        offsets = admin.list_group_offsets([settings.group])[settings.group]
    assert {key.partition: found.offset for key, found in offsets.items()} == {0: 3}


def test_a_worker_survives_its_broker(broker: Broker, tmp_path: Path) -> None:
    settings, path = fresh_topic(broker, 2), tmp_path / "sink.db"
    worker = Worker(settings, path)
    with filming(settings, CAMERAS[:2]) as acknowledged:
        eventually(lambda: worker.stored > 50, "the worker stores")
        broker.kill()
        broker.start()
        before = worker.stored
        eventually(lambda: worker.stored > before + 100, "the worker goes on")
    worker.end()
    Worker(settings, path, drain=True).join()
    with closing(Sink(path)) as sink:
        frames = sink.frames()
    assert len(frames) == len(set(frames))
    assert acknowledged <= set(frames)
