"""The buffers in front of Kafka: bounded, fair, and every frame in exactly one place."""

from __future__ import annotations

import threading

import pytest

from bus.errors import TransportClosed
from bus.kafka.outbox import NOT_SENT, Outbox
from bus.messages import Frame
from bus.transport import DROPPED_OLDEST
from tests.support.buses import frame

SIZE = len(frame(0).jpeg)


def filled(count: int, camera: str = "till", capacity: int = 4, in_flight_bytes: int = 1 << 20) -> Outbox:
    outbox = Outbox(capacity, in_flight_bytes)
    for seq in range(count):
        outbox.put(frame(seq, camera))
    return outbox


def taken(outbox: Outbox) -> Frame:
    found = outbox.take()
    assert found is not None
    return found


def blocks(outbox: Outbox) -> bool:
    """Whether `take` finds nothing now; closes the outbox."""
    found: list[Frame | None] = []
    thread = threading.Thread(target=lambda: found.append(outbox.take()))
    thread.start()
    thread.join(timeout=0.2)
    waited = thread.is_alive()
    outbox.close(0)
    thread.join()
    return waited and found == [None]


def test_cameras_take_turns_also_those_that_come_later() -> None:
    outbox = filled(3, "a")
    assert taken(outbox).camera_id == "a"
    outbox.put(frame(0, "b"))
    assert [taken(outbox).camera_id for _ in range(3)] == ["b", "a", "a"]


def test_bytes_in_flight_are_bounded_but_one_frame_always_flies() -> None:
    outbox = filled(3, in_flight_bytes=1)
    taken(outbox)
    outbox.arrived("till", SIZE)
    taken(outbox)
    assert blocks(outbox)


def test_a_camera_never_has_more_frames_in_flight_than_may_wait() -> None:
    outbox = filled(2, capacity=2)
    for _ in range(2):
        taken(outbox)
    outbox.put(frame(2))
    outbox.put(frame(0, "other"))
    assert taken(outbox).camera_id == "other"
    assert blocks(outbox)


def test_a_frame_that_comes_back_is_the_oldest_again() -> None:
    outbox = filled(2)
    outbox.put_back(taken(outbox))
    assert [taken(outbox).seq for _ in range(2)] == [0, 1]


def test_a_frame_that_comes_back_to_a_full_buffer_is_the_one_to_go() -> None:
    outbox = filled(4)
    first = taken(outbox)
    outbox.put(frame(4))
    outbox.put_back(first)
    assert outbox.take_drops("till") == {DROPPED_OLDEST: 1}
    assert [taken(outbox).seq for _ in range(4)] == [1, 2, 3, 4]


def test_every_frame_ends_acknowledged_counted_or_open() -> None:
    outbox = filled(8)
    for _ in range(2):
        taken(outbox)
    outbox.arrived("till", SIZE)
    outbox.lost("till", SIZE, "too large")
    for _ in range(2):
        outbox.put(frame(9))
        taken(outbox)
    outbox.unsure("till", SIZE)
    open_ = outbox.close(grace=0)
    outbox.arrived("till", SIZE)
    assert (outbox.acknowledged, open_) == (1, 1)
    drops = outbox.take_drops("till")
    assert drops == {DROPPED_OLDEST: 4, "too large": 1, NOT_SENT: 2}
    assert sum(drops.values()) + outbox.acknowledged + open_ == 10 - 1, "one is known to be unknown"


def test_frames_in_flight_are_never_given_up_while_the_outbox_is_open() -> None:
    outbox = filled(4)
    for _ in range(4):
        taken(outbox)
    for seq in range(4, 12):
        outbox.put(frame(seq))
    assert outbox.take_drops("till") == {DROPPED_OLDEST: 4}
    for _ in range(4):
        outbox.arrived("till", SIZE)
    assert outbox.acknowledged == 4
    assert outbox.close(grace=0) == 0


def test_closing_waits_for_what_is_on_its_way() -> None:
    outbox = filled(1)

    def send() -> None:
        outbox.arrived("till", len(taken(outbox).jpeg))

    threading.Timer(0.1, send).start()
    assert outbox.close(grace=30) == 0
    assert outbox.acknowledged == 1
    assert outbox.take_drops("till") == {}
    with pytest.raises(TransportClosed, match="till"):
        outbox.put(frame(1))


@pytest.mark.parametrize(("capacity", "in_flight_bytes"), [(0, 1), (1, 0)])
def test_bounds_are_checked(capacity: int, in_flight_bytes: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Outbox(capacity, in_flight_bytes)
