"""Frozen and black pictures."""

from __future__ import annotations

import numpy as np

from ingest.stillness import BLACK, FLAT, FROZEN, FROZEN_BLACK, StillnessDetector
from media.images import Gray


def noise(seed: int, most: int = 255) -> Gray:
    return np.random.default_rng(seed).integers(0, most, (96, 128)).astype(np.uint8)


def make_detector(after: float = 10) -> StillnessDetector:
    detector = StillnessDetector(after)
    detector.restart(100)
    return detector


def test_the_same_picture_for_long_is_frozen_until_it_changes() -> None:
    detector = make_detector()
    for now in (100, 105, 109):
        detector.update(noise(1), now)
        assert not detector.is_frozen
    detector.update(noise(1), 110)
    assert detector.is_frozen
    assert detector.is_overdue(110)
    assert detector.reason == FROZEN
    detector.update(noise(2), 111)
    assert not detector.is_frozen
    assert detector.reason == ""


def test_the_least_noise_counts_as_a_new_picture() -> None:
    detector, random = make_detector(), np.random.default_rng(4)
    for now in range(100, 130):
        detector.update(noise(1) ^ (random.random((96, 128)) < 0.01).astype(np.uint8), now)
        assert not detector.is_frozen


def test_an_encoder_that_repeats_its_output_from_key_frame_to_key_frame_is_frozen() -> None:
    detector = make_detector()
    for now in range(100, 130):
        detector.update(noise(now % 15), now)
    assert detector.is_frozen, "nothing new since 114"


def test_a_recording_that_a_camera_repeats_is_not_frozen() -> None:
    detector = make_detector()
    for now in range(100, 300):
        detector.update(noise(now % 40), now)
        assert not detector.is_frozen


def test_a_camera_that_froze_is_still_frozen_when_it_was_opened_again() -> None:
    detector = make_detector()
    detector.update(noise(1), 100)
    detector.update(noise(1), 110)
    detector.restart(200)
    detector.update(noise(1), 201)
    assert detector.is_frozen
    assert not detector.is_overdue(201), "it has just been opened: a new picture may follow"
    assert detector.is_overdue(210)


def test_the_time_without_a_connection_does_not_count() -> None:
    detector = make_detector()
    detector.update(noise(1), 100)
    detector.restart(500)
    detector.update(noise(1), 501)
    assert not detector.is_frozen


def test_black_is_reported_after_a_while_even_with_a_clock_in_the_corner() -> None:
    detector = make_detector()
    for now in range(100, 111):
        assert detector.reason == ""
        picture = noise(now, most=12)
        picture[:8, :16] = 255
        detector.update(picture, now)
    assert detector.reason == BLACK
    assert not detector.is_frozen
    detector.update(noise(1), 111)
    assert detector.reason == ""


def test_black_and_frozen_are_both_reported() -> None:
    detector = make_detector()
    for now in (100, 111):
        detector.update(np.zeros((96, 128), np.uint8), now)
    assert detector.reason == FROZEN_BLACK


def test_a_change_of_size_is_a_change() -> None:
    detector = make_detector()
    detector.update(np.zeros((96, 128), np.uint8), 100)
    detector.update(np.zeros((48, 64), np.uint8), 115)
    assert not detector.is_frozen


def test_an_even_grey_is_reported_even_if_it_changes_from_picture_to_picture() -> None:
    detector = make_detector()
    for now in range(100, 112):
        detector.update(np.full((96, 128), 100 + now % 60, np.uint8), now)
    assert detector.reason == FLAT
    detector.update(noise(1), 112)
    assert detector.reason == ""
