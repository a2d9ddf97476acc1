"""What the bus inside one process does beyond the contract."""

from __future__ import annotations

import pytest

from bus.embedded import EmbeddedBus
from bus.messages import Partition
from tests.support.buses import Shelf, frame, gather, sequence


def test_offsets_go_on_from_what_an_earlier_process_stored() -> None:
    bus = EmbeddedBus()
    reader = bus.reader([0], lambda partitions: dict.fromkeys(partitions, 500))
    bus.writer().publish(frame(0))
    assert reader.poll(limit=1, timeout=0.1).records[0].offset == 500


def test_a_partition_has_one_reader() -> None:
    bus = EmbeddedBus()
    first = bus.reader([0], Shelf())
    with pytest.raises(ValueError, match="partition 0"):
        bus.reader([0], Shelf())
    first.close()
    bus.reader([0], Shelf())


def test_the_end_never_comes_before_the_writer_closes() -> None:
    bus = EmbeddedBus()
    writer, reader = bus.writer(), bus.reader([0], Shelf())
    writer.publish(frame(0))
    reader.acknowledge(reader.poll(limit=1, timeout=0.1).positions)
    assert not reader.poll(limit=1, timeout=0.05).ended
    writer.close()
    assert reader.poll(limit=1, timeout=0.05).ended


def test_what_was_read_does_not_wait_any_more() -> None:
    bus = EmbeddedBus()
    writer, reader = bus.writer(), bus.reader([0], Shelf())
    writer.publish(frame(0))
    assert bus.waiting() == 1
    reader.poll(limit=1, timeout=0.1)
    assert bus.waiting() == 0


def test_resuming_one_partition_leaves_the_others_where_they_are() -> None:
    bus, shelf = EmbeddedBus(partitions=2), Shelf()
    writer, reader = bus.writer(), bus.reader([0, 1], shelf)
    for seq in range(4):
        writer.publish(frame(seq, "a"))
        writer.publish(frame(seq, "b"))
    gather(reader, 6)
    a, b = bus.partitions
    shelf.positions |= {a: 1, b: 1}
    reader.resume([a, Partition(a.topic, 99)])
    again = reader.poll(limit=10, timeout=0.1)
    assert (sequence(again.records, "a"), sequence(again.records, "b")) == ([1, 2, 3], [3])
    shelf.store(reader, again.positions)
    writer.close()
    assert reader.poll(limit=10, timeout=0.05).ended


def test_buses_with_names_of_their_own_share_no_position() -> None:
    bus = EmbeddedBus(topic="embedded/one")
    bus.writer().publish(frame(0))
    batch = gather(bus.reader([0], Shelf({Partition("embedded", 0): 7})), 1)
    assert batch.positions == {Partition("embedded/one", 0): 1}
