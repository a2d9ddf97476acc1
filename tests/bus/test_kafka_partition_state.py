"""The state of a partition: repeated frames, late frames, deleted records."""

from __future__ import annotations

from bus import codec
from bus.codec import Headers
from bus.kafka.partition_state import Deduplicator, PartitionState
from bus.messages import Partition
from bus.transport import Record
from tests.support.buses import frame, sequence

PARTITION = Partition("frames", 0)


def record(offset: int, seq: int, camera: str = "till", epoch: int = 1_000_000) -> Record:
    return Record(PARTITION, offset, *codec.encode(frame(seq, camera, epoch=epoch)))


def state(position: int = 0) -> PartitionState:
    return PartitionState(
        PARTITION, next_fetch=position, stored=position, last_reported=position, drain_until=0
    )


def headers(camera: str, seq: str = "0") -> Headers:
    return (("camera", camera.encode()), ("epoch", b"1"), ("seq", seq.encode()))


def test_a_batch_that_is_sent_twice_is_delivered_once() -> None:
    found = state()
    for offset, seq in enumerate([0, 1, 2, 0, 1, 2, 3]):
        assert found.add(record(offset, seq)) == 0
    assert sequence(found.waiting) == [0, 1, 2, 3]
    assert found.next_fetch == 7


def test_a_frame_that_comes_after_a_newer_one_is_skipped() -> None:
    found = state()
    for offset, seq in enumerate([0, 3, 4, 1, 2, 5]):
        found.add(record(offset, seq))
    assert sequence(found.waiting) == [0, 3, 4, 5]


def test_cameras_and_epochs_are_independent() -> None:
    deduplicator = Deduplicator()
    runs = [("a", 1), ("b", 1), ("a", 2), ("a", 1)]
    new = [deduplicator.is_new(record(0, 0, camera, epoch).headers) for camera, epoch in runs]
    assert new == [True, True, True, False]


def test_records_without_a_valid_sequence_number_are_always_new() -> None:
    deduplicator = Deduplicator()
    for bad in ("x", "", "-1", "9" * 19, "9" * 5000):
        assert all(deduplicator.is_new(headers("till", bad)) for _ in range(2))
    assert all(deduplicator.is_new(()) for _ in range(2))


def test_a_sequence_number_out_of_range_does_not_hide_later_frames() -> None:
    found = state()
    found.add(Record(PARTITION, 0, headers("till", "9" * 19), b""))
    found.add(Record(PARTITION, 1, headers("till", "1"), b""))
    assert [each.offset for each in found.waiting] == [0, 1]


def test_the_number_of_runs_in_memory_is_bounded() -> None:
    deduplicator = Deduplicator()
    for number in range(5000):
        deduplicator.is_new(headers(str(number)))
    assert len(deduplicator._last) == 4096
    assert not deduplicator.is_new(headers("4999"))


def test_records_before_the_position_are_noted_and_not_delivered() -> None:
    found = state(position=2)
    for offset, seq in enumerate([0, 1, 1, 2]):
        found.add(record(offset, seq))
    assert sequence(found.waiting) == [2]
    assert found.next_position == 3


def test_deleted_records_are_counted() -> None:
    found = state(position=5)
    assert found.add(record(9, 0)) == 4
    assert found.add(record(10, 1)) == 0


def test_the_position_moves_past_skipped_records() -> None:
    found = state()
    found.add(record(0, 7))
    found.waiting.clear()
    found.add(record(1, 7))
    assert found.next_position == 2
