"""The contract of a transport; every transport passes the same tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from bus import codec
from bus.errors import TransportClosed
from bus.transport import DROPPED_OLDEST
from tests.support.buses import (
    CAPACITY,
    KAFKA,
    PATIENCE_SECONDS,
    Bus,
    Embedded,
    Kafka,
    Shelf,
    frame,
    gather,
    sequence,
)

MakeBus = Callable[..., Bus]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=KAFKA)])
def make_bus(request: pytest.FixtureRequest) -> Iterator[MakeBus]:
    if request.param == "embedded":
        yield lambda partitions=1: Embedded(partitions)
        return
    broker = request.getfixturevalue("broker")
    made: list[Kafka] = []

    def make(partitions: int = 1) -> Kafka:
        made.append(Kafka(broker, partitions))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_frames_of_a_camera_arrive_in_order_and_unchanged(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    sent = [frame(seq) for seq in range(5)]
    assert all(writer.publish(each) for each in sent)
    batch = gather(reader, 5)
    assert [codec.decode(record.headers, record.value) for record in batch.records] == sent
    assert batch.positions == {batch.records[0].partition: 5}


def test_the_oldest_frame_of_the_same_camera_is_dropped_and_counted(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    with bus.stalled():
        writer.publish(frame(0, "quiet"))
        answers = [writer.publish(frame(seq)) for seq in range(CAPACITY + 3)]
    dropped = answers.count(False)
    assert all(answers[:CAPACITY])
    assert dropped in (2, 3), "one frame may have left the buffer"
    assert writer.take_drops("till") == {DROPPED_OLDEST: dropped}
    assert writer.take_drops("till") == {}, "each drop is reported once"
    records = gather(reader, 1 + CAPACITY + 3 - dropped).records
    assert sequence(records)[-CAPACITY:] == list(range(3, CAPACITY + 3))
    assert len(sequence(records)) == CAPACITY + 3 - dropped
    assert sequence(records, "quiet") == [0], "another camera's frames displace none of this one"
    assert not reader.poll(limit=1, timeout=0.1).records


def test_cameras_take_turns(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    with bus.stalled():
        for seq in range(4):
            writer.publish(frame(seq, "a"))
        writer.publish(frame(0, "b"))
    assert sequence(gather(reader, 2).records, "b") == [0]


def test_partitions_of_a_reader_take_turns(make_bus: MakeBus) -> None:
    bus = make_bus(partitions=2)
    writer, reader = bus.writer(), bus.reader(Shelf())
    for seq in range(4):
        writer.publish(frame(seq, "a"))
        writer.publish(frame(seq, "b"))
    bus.arrived(8)
    records = gather(reader, 4).records
    assert (sequence(records, "a"), sequence(records, "b")) == ([0, 1], [0, 1])


def test_no_batch_exceeds_the_limit(make_bus: MakeBus) -> None:
    bus = make_bus(partitions=2)
    writer, reader = bus.writer(), bus.reader(Shelf())
    for seq in range(4):
        writer.publish(frame(seq, "a"))
        writer.publish(frame(seq, "b"))
    bus.arrived(8)
    records = gather(reader, 8, limit=3).records
    assert (sequence(records, "a"), sequence(records, "b")) == ([0, 1, 2, 3], [0, 1, 2, 3])


def test_unacknowledged_records_are_delivered_to_the_next_reader(make_bus: MakeBus) -> None:
    bus, shelf = make_bus(), Shelf()
    writer, reader = bus.writer(), bus.reader(shelf)
    for seq in range(6):
        writer.publish(frame(seq))
    shelf.store(reader, gather(reader, 2).positions)
    assert sequence(gather(reader, 2).records) == [2, 3]
    reader.close()
    assert sequence(gather(bus.reader(shelf), 4).records) == [2, 3, 4, 5]


def test_a_reader_starts_at_the_position_of_the_sink(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    for seq in range(4):
        writer.publish(frame(seq))
    partition = gather(reader, 3).records[0].partition
    reader.close()
    stored_two = bus.reader(Shelf({partition: 2}))
    assert sequence(gather(stored_two, 2).records) == [2, 3]


def test_a_reader_that_resumes_delivers_records_that_the_sink_lacks_again(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, shelf = bus.writer(), Shelf()
    reader = bus.reader(shelf)
    for seq in range(4):
        writer.publish(frame(seq))
    batch = gather(reader, 4)
    (partition,) = batch.positions
    shelf.positions = {partition: batch.positions[partition] - 2}
    reader.resume([partition])
    assert sequence(gather(reader, 2).records) == [2, 3]


def test_a_bus_ends_once_all_writers_are_closed_and_all_records_are_stored(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer = bus.writer()
    writer.publish(frame(0))
    bus.arrived(1)
    reader = bus.reader(Shelf())
    batch = gather(reader, 1)
    writer.close()
    assert not batch.ended
    assert not reader.poll(limit=1, timeout=0.05).ended, "one frame is not stored yet"
    reader.acknowledge(batch.positions)
    assert reader.poll(limit=1, timeout=0.05).ended


def test_a_source_that_waits_for_room_loses_no_frame(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    total, received = 200, []

    def read() -> None:
        while len(received) < total:
            batch = gather(reader, 1, limit=3)
            received.extend(sequence(batch.records))
            reader.acknowledge(batch.positions)

    thread = threading.Thread(target=read)
    thread.start()
    for seq in range(total):
        assert writer.wait_for_room("till", timeout=PATIENCE_SECONDS)
        assert writer.publish(frame(seq))
    writer.close()
    thread.join(timeout=PATIENCE_SECONDS)
    assert received == list(range(total))
    assert writer.take_drops("till") == {}


def test_waiting_for_room_times_out(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer = bus.writer()
    published = 0
    with bus.stalled():
        while writer.wait_for_room("till", timeout=0.1):
            assert writer.publish(frame(published))
            published += 1
            assert published <= CAPACITY + 1
    assert published >= CAPACITY


def test_frames_that_wait_when_a_writer_closes_are_delivered(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    with bus.stalled():
        for seq in range(CAPACITY):
            writer.publish(frame(seq))
    writer.close()
    assert sequence(gather(reader, CAPACITY).records) == list(range(CAPACITY))


def test_a_reader_continues_at_its_position_after_holding(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    for seq in range(4):
        writer.publish(frame(seq))
    assert sequence(gather(reader, 2).records) == [0, 1]
    reader.hold(0.3)
    assert sequence(gather(reader, 2).records) == [2, 3]


def test_closed_writers_and_readers_raise(make_bus: MakeBus) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader(Shelf())
    writer.close()
    reader.close()
    with pytest.raises(TransportClosed):
        writer.publish(frame(0))
    with pytest.raises(TransportClosed):
        reader.poll(limit=1, timeout=0)
