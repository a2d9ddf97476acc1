"""Frame counts by camera and minute."""

from __future__ import annotations

from bus.messages import CameraMinute
from inference.frame_counts import FrameCounts

MINUTE = 60_000_000


def test_frames_are_counted_once_by_camera_and_minute() -> None:
    counts = FrameCounts()
    counts.add_analysed("a", MINUTE - 200_000, faces=2, age_us=30_000)
    counts.add_analysed("a", MINUTE, faces=1, age_us=50_000)
    counts.add_analysed("b", MINUTE, faces=0, age_us=10_000)
    counts.add_stale("a", MINUTE + 1)
    counts.add_failed("b", MINUTE + 2)
    assert counts.take() == (
        CameraMinute("a", 0, captured=1, analysed=1, faces=2, age_sum_us=30_000),
        CameraMinute(
            "a", MINUTE, captured=2, analysed=1, faces=1, age_sum_us=50_000, watched_us=200_000, stale=1
        ),
        CameraMinute("b", MINUTE, captured=2, analysed=1, age_sum_us=10_000, failed=1),
    )
    assert counts.take() == ()


def test_a_frame_counts_as_captured_with_its_outcome_and_a_repetition_does_not() -> None:
    counts = FrameCounts()
    counts.add_superseded("a", 0)
    counts.add_repeated("a", 0)
    assert counts.take() == (CameraMinute("a", 0, captured=1, superseded=1, repeated=1),)


def test_a_gap_counts_as_watched_for_at_most_two_seconds() -> None:
    counts = FrameCounts()
    for second in (0, 1, 40, 39):
        counts.add_analysed("a", second * 1_000_000, faces=0, age_us=0)
    (minute,) = counts.take()
    assert minute.watched_us == 1_000_000 + 2_000_000, (
        "at most two seconds per frame, none for a time before the last one"
    )


def test_the_time_of_unchanged_pictures_is_watched() -> None:
    """A still scene at five pictures a second, of which one every ten seconds is published."""
    counts = FrameCounts()
    for tenth in range(7):
        counts.add_analysed("a", tenth * 10_000_000, faces=0, age_us=0, unchanged=49 if tenth else 0)
    assert sum(minute.watched_us for minute in counts.take()) == 60_000_000


def test_a_camera_with_one_picture_in_ten_seconds_watches_all_the_time() -> None:
    counts = FrameCounts()
    for second in (0, 10, 20, 30, 140, 150):
        counts.add_analysed("a", second * 1_000_000, faces=0, age_us=0)
    watched = sum(minute.watched_us for minute in counts.take())
    assert watched == 60_000_000, "after a gap of 110 seconds, two pictures' time"


def test_the_time_of_a_camera_that_is_stalled_after_a_still_scene_is_not_watched() -> None:
    """Five pictures a second, one of fifteen published; those before a minute's stall count as usual."""
    counts, time = FrameCounts(), 0
    for number in range(20):
        time += 60_000_000 if number == 15 else 3_000_000
        counts.add_analysed("a", time, faces=0, age_us=0, unchanged=14 if number else 0)
    watched = sum(minute.watched_us for minute in counts.take())
    assert watched == 18 * 3_000_000 + 14 * 200_000 + 2_000_000


def test_the_time_since_the_latest_frame_of_a_camera_that_was_forgotten_is_not_watched() -> None:
    counts = FrameCounts()
    for camera in ("a", "b"):
        counts.add_analysed(camera, 0, faces=0, age_us=0)
    counts.forget("a")
    counts.forget("never seen")
    for camera in ("a", "b"):
        counts.add_analysed(camera, 1_000_000, faces=0, age_us=0)
    assert {minute.camera_id: minute.watched_us for minute in counts.take()} == {"a": 0, "b": 1_000_000}
