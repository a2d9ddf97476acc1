"""What every transport owes; each one runs the same suite."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest

from bus import codec
from bus.embedded import DROPPED_OLDEST, EmbeddedBus
from bus.errors import TransportClosed
from bus.messages import Frame, Partition, Positions
from bus.transport import Batch

CAPACITY = 8


def frame(seq: int, camera: str = "till") -> Frame:
    return Frame(
        camera, 1_000_000 + seq * 200_000, seq, 1_000_000, 64, 48, b"\xff\xd8" + bytes([seq % 256]) * 20
    )


def sequence(batch: Batch, camera: str = "till") -> list[int]:
    frames = [codec.decode(record.headers, record.value) for record in batch.records]
    return [each.seq for each in frames if each.camera_id == camera]


def from_start(_: Iterable[Partition]) -> Positions:
    return {}


@pytest.fixture(params=[EmbeddedBus])
def make_bus(request: pytest.FixtureRequest) -> Callable[..., EmbeddedBus]:
    return lambda partitions=1: request.param(partitions=partitions, capacity=CAPACITY)


def test_frames_of_a_camera_arrive_in_order_and_whole(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    sent = [frame(seq) for seq in range(5)]
    assert all(writer.publish(each) for each in sent)
    batch = reader.poll(limit=10, timeout=0.1)
    assert [codec.decode(record.headers, record.value) for record in batch.records] == sent
    assert batch.positions == {batch.records[0].partition: 5}


def test_the_oldest_frame_of_the_same_camera_is_dropped_and_counted(
    make_bus: Callable[..., EmbeddedBus],
) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    writer.publish(frame(0, "quiet"))
    answers = [writer.publish(frame(seq)) for seq in range(CAPACITY + 3)]
    assert answers == [True] * CAPACITY + [False] * 3
    assert writer.take_drops("till") == {DROPPED_OLDEST: 3}
    assert writer.take_drops("till") == {}, "each drop is told once"
    batch = reader.poll(limit=100, timeout=0.1)
    assert sequence(batch) == list(range(3, CAPACITY + 3))
    assert sequence(batch, "quiet") == [0], "another camera's flood costs this one nothing"
    assert bus.waiting() == 0


def test_cameras_take_turns(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    for seq in range(4):
        writer.publish(frame(seq, "a"))
    writer.publish(frame(0, "b"))
    assert sequence(reader.poll(limit=2, timeout=0.1), "b") == [0]


def test_every_partition_of_a_reader_gets_its_turn(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus(partitions=2)
    writer, reader = bus.writer(), bus.reader([0, 1], from_start)
    for seq in range(4):
        writer.publish(frame(seq, "a"))
        writer.publish(frame(seq, "b"))
    batch = reader.poll(limit=4, timeout=0.1)
    assert (sequence(batch, "a"), sequence(batch, "b")) == ([0, 1], [0, 1])


def test_what_was_not_acknowledged_comes_again_to_the_next_reader(
    make_bus: Callable[..., EmbeddedBus],
) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    for seq in range(6):
        writer.publish(frame(seq))
    reader.acknowledge(reader.poll(limit=2, timeout=0.1).positions)
    assert sequence(reader.poll(limit=2, timeout=0.1)) == [2, 3]
    reader.close()
    assert sequence(bus.reader([0], from_start).poll(limit=10, timeout=0.1)) == [2, 3, 4, 5]


def test_a_reader_goes_on_where_the_sink_says(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    for seq in range(4):
        writer.publish(frame(seq))
    partition = reader.poll(limit=3, timeout=0.1).records[0].partition
    reader.close()
    stored_two = bus.reader([0], lambda _: {partition: 2})
    assert sequence(stored_two.poll(limit=10, timeout=0.1)) == [2, 3]


def test_a_reader_that_resumes_polls_again_what_the_sink_lacks(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus(partitions=2)
    stored: dict[Partition, int] = {}
    writer, reader = bus.writer(), bus.reader([0, 1], lambda asked: {p: stored[p] for p in asked if p in stored})
    for seq in range(4):
        writer.publish(frame(seq, "a"))
        writer.publish(frame(seq, "b"))
    first = reader.poll(limit=6, timeout=0.1)
    a, b = (min(first.positions), max(first.positions))
    stored.update({a: 1, b: 1})
    reader.resume([a, Partition(a.topic, 99)])
    again = reader.poll(limit=10, timeout=0.1)
    assert (sequence(again, "a"), sequence(again, "b")) == ([1, 2, 3], [3])
    reader.acknowledge(again.positions)
    writer.close()
    assert reader.poll(limit=10, timeout=0.05).ended


def test_offsets_go_on_from_what_an_earlier_process_stored(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    reader = bus.reader([0], lambda partitions: dict.fromkeys(partitions, 500))
    bus.writer().publish(frame(0))
    assert reader.poll(limit=1, timeout=0.1).records[0].offset == 500


def test_a_partition_has_one_reader(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    first = bus.reader([0], from_start)
    with pytest.raises(ValueError, match="partition 0"):
        bus.reader([0], from_start)
    first.close()
    bus.reader([0], from_start)


def test_the_end_comes_once_all_is_written_read_and_stored(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    writer.publish(frame(0))
    batch = reader.poll(limit=1, timeout=0.1)
    writer.close()
    assert not batch.ended
    assert not reader.poll(limit=1, timeout=0.05).ended, "one frame is not stored yet"
    reader.acknowledge(batch.positions)
    assert reader.poll(limit=1, timeout=0.05).ended


def test_a_source_that_can_wait_loses_nothing(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    total, received = 200, []

    def read() -> None:
        while not (batch := reader.poll(limit=3, timeout=1)).ended:
            received.extend(sequence(batch))
            reader.acknowledge(batch.positions)

    thread = threading.Thread(target=read)
    thread.start()
    for seq in range(total):
        assert writer.wait_for_room("till", timeout=5)
        assert writer.publish(frame(seq))
    writer.close()
    thread.join(timeout=5)
    assert received == list(range(total))


def test_waiting_for_room_has_an_end(make_bus: Callable[..., EmbeddedBus]) -> None:
    writer = make_bus().writer()
    for seq in range(CAPACITY):
        writer.publish(frame(seq))
    assert not writer.wait_for_room("till", timeout=0.05)


def test_a_closed_side_says_so(make_bus: Callable[..., EmbeddedBus]) -> None:
    bus = make_bus()
    writer, reader = bus.writer(), bus.reader([0], from_start)
    writer.close()
    reader.close()
    with pytest.raises(TransportClosed):
        writer.publish(frame(0))
    with pytest.raises(TransportClosed):
        reader.poll(limit=1, timeout=0)
