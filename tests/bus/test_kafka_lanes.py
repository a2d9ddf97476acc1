"""What a reader remembers of a partition: doubles, stragglers and holes."""

from __future__ import annotations

from bus import codec
from bus.kafka.lanes import Arrivals, Lane
from bus.messages import Partition
from bus.transport import Record
from tests.support.buses import frame, sequence

PARTITION = Partition("frames", 0)


def record(offset: int, seq: int, camera: str = "till", epoch: int = 1_000_000) -> Record:
    return Record(PARTITION, offset, *codec.encode(frame(seq, camera, epoch=epoch)))


def lane(read: int = 0) -> Lane:
    return Lane(PARTITION, read=read, stored=read, told=read, goal=0)


def test_a_batch_that_is_sent_twice_arrives_once() -> None:
    found = lane()
    for offset, seq in enumerate([0, 1, 2, 0, 1, 2, 3]):
        assert found.take_in(record(offset, seq)) == 0
    assert sequence(found.waiting) == [0, 1, 2, 3]
    assert found.read == 7


def test_what_comes_after_its_successors_was_given_up_and_is_left_out() -> None:
    found = lane()
    for offset, seq in enumerate([0, 3, 4, 1, 2, 5]):
        found.take_in(record(offset, seq))
    assert sequence(found.waiting) == [0, 3, 4, 5]


def test_cameras_and_runs_are_told_apart() -> None:
    arrivals = Arrivals()
    runs = [("a", 1), ("b", 1), ("a", 2), ("a", 1)]
    new = [arrivals.is_new(record(0, 0, camera, epoch).headers) for camera, epoch in runs]
    assert new == [True, True, True, False]


def test_what_cannot_be_told_apart_is_passed_on() -> None:
    arrivals = Arrivals()
    assert all(arrivals.is_new({"camera": b"till", "epoch": b"1", "seq": b"x"}) for _ in range(2))
    assert all(arrivals.is_new({}) for _ in range(2))


def test_memory_has_an_end_whatever_the_headers_say() -> None:
    arrivals = Arrivals()
    for number in range(5000):
        arrivals.is_new({"camera": b"%d" % number, "epoch": b"1", "seq": b"0"})
    assert len(arrivals._last) == 4096
    assert not arrivals.is_new({"camera": b"4999", "epoch": b"1", "seq": b"0"})


def test_what_lies_before_the_position_is_remembered_and_not_handed_out() -> None:
    found = lane(read=2)
    for offset, seq in enumerate([0, 1, 1, 2]):
        found.take_in(record(offset, seq))
    assert sequence(found.waiting) == [2]
    assert found.position == 3


def test_holes_are_told() -> None:
    found = lane(read=5)
    assert found.take_in(record(9, 0)) == 4
    assert found.take_in(record(10, 1)) == 0


def test_the_position_moves_past_what_is_left_out() -> None:
    found = lane()
    found.take_in(record(0, 7))
    found.waiting.clear()
    found.take_in(record(1, 7))
    assert found.position == 2
