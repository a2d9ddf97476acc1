"""The state of a partition: its position, waiting records, deleted records."""

from __future__ import annotations

from bus import codec
from bus.kafka.partition_state import PartitionState
from bus.messages import Partition
from bus.transport import Record
from tests.support.buses import frame, sequence

PARTITION = Partition("frames", 0)


def record(offset: int, seq: int) -> Record:
    return Record(PARTITION, offset, *codec.encode(frame(seq)))


def state(position: int = 0) -> PartitionState:
    return PartitionState(
        PARTITION, next_fetch=position, stored=position, last_reported=position, drain_until=0
    )


def test_records_before_the_position_are_not_delivered() -> None:
    found = state(position=2)
    for offset, seq in enumerate([0, 1, 2]):
        found.add(record(offset, seq))
    assert sequence(found.waiting) == [2]
    assert found.next_position == 2


def test_deleted_records_are_counted() -> None:
    found = state(position=5)
    assert found.add(record(9, 0)) == 4
    assert found.add(record(10, 1)) == 0


def test_the_position_is_the_next_waiting_record_or_the_next_one_to_fetch() -> None:
    found = state()
    found.add(record(0, 7))
    found.add(record(1, 8))
    assert found.next_position == 0
    found.waiting.clear()
    assert found.next_position == 2
