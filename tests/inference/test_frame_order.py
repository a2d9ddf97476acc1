from __future__ import annotations

import pytest

from bus.messages import LastFrame
from inference.frame_order import FrameOrder, Order


@pytest.fixture
def order() -> FrameOrder:
    order = FrameOrder()
    for camera in ("a", "b"):
        order.restore(camera, [])
    return order


def test_within_an_epoch_only_a_higher_number_is_new(order: FrameOrder) -> None:
    for seq, expected in [(0, "NEW"), (3, "NEW"), (3, "REPEATED"), (1, "REPEATED"), (4, "NEW")]:
        found = order.classify("a", 1, seq)
        assert found is Order[expected]
        if found is Order.NEW:
            order.note("a", 1, seq, analysed=True)


def test_cameras_are_independent(order: FrameOrder) -> None:
    order.note("a", 1, 5, analysed=True)
    assert order.classify("b", 1, 5) is Order.NEW


def test_an_analysed_frame_supersedes_earlier_epochs_alone(order: FrameOrder) -> None:
    order.note("a", 5, 0, analysed=False)
    assert order.classify("a", 4, 0) is Order.NEW
    order.note("a", 5, 1, analysed=True)
    assert order.classify("a", 4, 0) is Order.SUPERSEDED
    assert order.classify("a", 6, 0) is Order.NEW


def test_a_superseded_frame_that_comes_again_is_repeated(order: FrameOrder) -> None:
    order.note("a", 5, 0, analysed=True)
    order.note("a", 4, 0, analysed=False)
    assert order.classify("a", 4, 0) is Order.REPEATED


def test_an_epoch_stays_analysed(order: FrameOrder) -> None:
    assert order.note("a", 5, 0, analysed=True) == LastFrame("a", 5, 0, True)
    assert order.note("a", 5, 1, analysed=False) == LastFrame("a", 5, 1, True)


def test_stored_frames_are_the_start(order: FrameOrder) -> None:
    order.clear()
    assert not order.has("a")
    order.restore("a", [LastFrame("a", 5, 9, True), LastFrame("a", 6, 2, False)])
    found = [order.classify("a", epoch, seq).name for epoch, seq in [(5, 9), (5, 10), (6, 2), (4, 1)]]
    assert found == ["REPEATED", "NEW", "REPEATED", "SUPERSEDED"]


def test_the_number_of_epochs_in_memory_is_bounded(order: FrameOrder) -> None:
    for epoch in range(3000):
        order.note("a", epoch, 0, analysed=False)
    assert len(order._cameras["a"]) == 1000
    assert order.classify("a", 2999, 0) is Order.REPEATED
