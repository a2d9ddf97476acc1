"""The tracker: which detections belong to one track."""

from __future__ import annotations

import numpy as np
import pytest

from inference.tracking import Track, Tracker


def step(tracker: Tracker, time_us: int, *boxes: tuple[float, ...]) -> list[Track]:
    return tracker.update(np.array(boxes, np.float32).reshape(-1, 4), time_us)


def test_a_walking_face_stays_one_track() -> None:
    tracker = Tracker()
    numbers = {step(tracker, t * 200_000, (10 + 12 * t, 50, 24, 30))[0].number for t in range(30)}
    assert numbers == {0}


def test_two_faces_that_pass_each_other_keep_their_numbers() -> None:
    tracker = Tracker()
    for t in range(21):
        left, right = step(tracker, t * 100_000, (20 * t, 50, 40, 50), (400 - 20 * t, 62, 40, 50))
        assert (left.number, right.number) == (0, 1)


@pytest.mark.parametrize(("absence_us", "same"), [(1_900_000, True), (2_100_000, False)])
def test_gaps_up_to_two_seconds_are_bridged(absence_us: int, same: bool) -> None:
    tracker = Tracker()
    for t in range(4):
        step(tracker, t * 200_000, (100, 100, 40, 50))
    back = 600_000 + absence_us
    assert (len(tracker.expire(back)) == 0) is same
    assert (step(tracker, back, (110, 100, 40, 50))[0].number == 0) is same


def test_a_face_far_away_starts_another_track() -> None:
    tracker = Tracker()
    step(tracker, 0, (100, 100, 40, 50))
    assert step(tracker, 200_000, (400, 100, 40, 50))[0].number == 1


def test_a_much_larger_face_starts_another_track() -> None:
    tracker = Tracker()
    step(tracker, 0, (100, 100, 20, 25))
    assert step(tracker, 200_000, (70, 70, 90, 110))[0].number == 1


def test_a_second_detection_at_the_same_time_does_not_change_the_velocity() -> None:
    tracker = Tracker()
    step(tracker, 0, (100, 100, 40, 50))
    step(tracker, 200_000, (110, 100, 40, 50))
    (track,) = step(tracker, 200_000, (112, 100, 40, 50))
    assert (track.number, track.velocity.tolist()) == (0, [50.0, 0.0])


def test_each_tracker_has_its_own_track_numbers() -> None:
    for _ in range(2):
        assert step(Tracker(), 0, (0, 0, 20, 20))[0].number == 0


def test_end_returns_every_track_once() -> None:
    tracker = Tracker()
    step(tracker, 0, (0, 0, 20, 20), (100, 0, 20, 20))
    assert [track.number for track in tracker.end()] == [0, 1]
    assert tracker.end() == []


@pytest.mark.parametrize("steps_per_second", [5, 1])
def test_somebody_who_walks_up_to_a_slow_camera_is_one_track(steps_per_second: int) -> None:
    """From a face of 20 pixels to one of 60 within four seconds, and 50 pixels to the side in each second."""
    tracker = Tracker()
    numbers = set()
    for step in range(4 * steps_per_second + 1):
        seconds = step / steps_per_second
        size = 1 / (1 / 20 - seconds / 4 * (1 / 20 - 1 / 60))
        box = (100 + 50 * seconds - size / 2, 100 - size / 2, size, size)
        time_us = round(seconds * 1_000_000)
        tracker.expire(time_us, 1_000_000 // steps_per_second)
        numbers.add(tracker.update(np.array([box], np.float32), time_us)[0].number)
    assert numbers == {0}
