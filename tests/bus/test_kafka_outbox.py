"""The buffer of a Kafka writer is bounded and fair; every frame has exactly one outcome."""

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
    """Whether `take` blocks; closes the outbox."""
    found: list[Frame | None] = []
    thread = threading.Thread(target=lambda: found.append(outbox.take()))
    thread.start()
    thread.join(timeout=0.2)
    waited = thread.is_alive()
    outbox.close(0)
    thread.join()
    return waited and found == [None]


def test_cameras_take_turns_and_later_ones_too() -> None:
    outbox = filled(3, "a")
    assert taken(outbox).camera_id == "a"
    outbox.put(frame(0, "b"))
    assert [taken(outbox).camera_id for _ in range(3)] == ["b", "a", "a"]


def test_bytes_in_flight_are_bounded_and_one_frame_is_always_allowed() -> None:
    outbox = filled(3, in_flight_bytes=1)
    taken(outbox)
    outbox.acknowledge("till", SIZE)
    taken(outbox)
    assert blocks(outbox)


def test_cameras_whose_frames_are_never_acknowledged_block_no_others() -> None:
    outbox = Outbox(16, 8 * SIZE)
    cameras = [f"stuck-{number}" for number in range(4)] + ["door", "till"]
    for seq in range(16):
        for camera in cameras:
            outbox.put(frame(seq, camera))
    sent: list[Frame] = []
    while [each.camera_id for each in sent if each.camera_id in ("door", "till")] != ["door", "till"] * 16:
        sent.append(taken(outbox))
        if sent[-1].camera_id in ("door", "till"):
            outbox.acknowledge(sent[-1].camera_id, SIZE)
    assert outbox.acknowledged == 32
    assert blocks(outbox), "those of the others stay bounded"


def test_frames_of_a_camera_in_flight_are_bounded() -> None:
    outbox = filled(2, capacity=2)
    for _ in range(2):
        taken(outbox)
    outbox.put(frame(2))
    outbox.put(frame(0, "other"))
    assert taken(outbox).camera_id == "other"
    assert blocks(outbox)


def test_a_frame_that_is_put_back_is_the_oldest_again() -> None:
    outbox = filled(2)
    outbox.put_back(taken(outbox))
    assert [taken(outbox).seq for _ in range(2)] == [0, 1]


def test_a_frame_that_is_put_back_into_a_full_buffer_is_dropped() -> None:
    outbox = filled(4)
    first = taken(outbox)
    outbox.put(frame(4))
    outbox.put_back(first)
    assert outbox.take_drops("till") == {DROPPED_OLDEST: 1}
    assert [taken(outbox).seq for _ in range(4)] == [1, 2, 3, 4]


def test_there_is_room_for_a_frame_that_the_sender_may_put_back() -> None:
    outbox = filled(4)
    first = taken(outbox)
    assert not outbox.wait_for_room("till", timeout=0)
    outbox.put_back(first)
    assert not outbox.wait_for_room("till", timeout=0)
    taken(outbox)
    taken(outbox)
    assert outbox.wait_for_room("till", timeout=0), "the sender keeps only the frame that it took last"
    outbox.put(frame(4))
    assert not outbox.wait_for_room("till", timeout=0)
    assert outbox.take_drops("till") == {}


def test_an_outbox_is_empty_once_every_frame_has_an_outcome() -> None:
    outbox = filled(2)
    assert not outbox.wait_until_empty(timeout=0)
    outbox.acknowledge("till", len(taken(outbox).jpeg))
    outbox.drop("till", len(taken(outbox).jpeg), "too large")
    assert outbox.wait_until_empty(timeout=0)


def test_every_frame_is_acknowledged_dropped_or_in_flight() -> None:
    outbox = filled(8)
    for _ in range(2):
        taken(outbox)
    outbox.acknowledge("till", SIZE)
    outbox.drop("till", SIZE, "too large")
    for _ in range(2):
        outbox.put(frame(9))
        taken(outbox)
    outbox.forget("till", SIZE)
    in_flight = outbox.close(grace=0)
    outbox.acknowledge("till", SIZE)
    assert (outbox.acknowledged, in_flight) == (1, 1)
    drops = outbox.take_drops("till")
    assert drops == {DROPPED_OLDEST: 4, "too large": 1, NOT_SENT: 2}
    assert sum(drops.values()) + outbox.acknowledged + in_flight == 10 - 1, "the outcome of one is unknown"


def test_frames_in_flight_are_never_dropped_while_the_outbox_is_open() -> None:
    outbox = filled(4)
    for _ in range(4):
        taken(outbox)
    for seq in range(4, 12):
        outbox.put(frame(seq))
    assert outbox.take_drops("till") == {DROPPED_OLDEST: 4}
    for _ in range(4):
        outbox.acknowledge("till", SIZE)
    assert outbox.acknowledged == 4
    assert outbox.close(grace=0) == 0


def test_closing_waits_for_waiting_frames() -> None:
    outbox = filled(1)

    def send() -> None:
        outbox.acknowledge("till", len(taken(outbox).jpeg))

    threading.Timer(0.1, send).start()
    assert outbox.close(grace=30) == 0
    assert outbox.acknowledged == 1
    assert outbox.take_drops("till") == {}
    with pytest.raises(TransportClosed, match="till"):
        outbox.put(frame(1))


@pytest.mark.parametrize(("capacity", "in_flight_bytes"), [(0, 1), (1, 0)])
def test_bounds_must_be_positive(capacity: int, in_flight_bytes: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Outbox(capacity, in_flight_bytes)
