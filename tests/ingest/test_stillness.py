"""Pictures that show nothing any more."""

from __future__ import annotations

import numpy as np

from ingest.pictures import Gray
from ingest.stillness import BLACK, FROZEN, FROZEN_BLACK, PictureWatch


def noise(seed: int, most: int = 255) -> Gray:
    return np.random.default_rng(seed).integers(0, most, (96, 128)).astype(np.uint8)


def watching(after: float = 10) -> PictureWatch:
    watch = PictureWatch(after)
    watch.opened(100)
    return watch


def test_the_same_picture_for_long_is_frozen_until_it_changes() -> None:
    watch = watching()
    for now in (100, 105, 109):
        watch.see(noise(1), now)
        assert not watch.is_frozen
    watch.see(noise(1), 110)
    assert watch.is_frozen
    assert watch.is_overdue(110)
    assert watch.reason == FROZEN
    watch.see(noise(2), 111)
    assert not watch.is_frozen
    assert watch.reason == ""


def test_the_least_noise_is_a_picture_that_lives() -> None:
    watch, random = watching(), np.random.default_rng(4)
    for now in range(100, 130):
        watch.see(noise(1) ^ (random.random((96, 128)) < 0.01).astype(np.uint8), now)
        assert not watch.is_frozen


def test_an_encoder_that_repeats_itself_from_key_frame_to_key_frame_is_frozen() -> None:
    watch = watching()
    for now in range(100, 130):
        watch.see(noise(now % 15), now)
    assert watch.is_frozen, "nothing new since 114"


def test_a_recording_that_a_camera_repeats_is_not_frozen() -> None:
    watch = watching()
    for now in range(100, 300):
        watch.see(noise(now % 40), now)
        assert not watch.is_frozen


def test_a_camera_that_froze_is_still_frozen_when_it_was_opened_again() -> None:
    watch = watching()
    watch.see(noise(1), 100)
    watch.see(noise(1), 110)
    watch.opened(200)
    watch.see(noise(1), 201)
    assert watch.is_frozen
    assert not watch.is_overdue(201), "it has just been opened: it may come to life"
    assert watch.is_overdue(210)


def test_the_time_for_which_a_camera_was_away_does_not_count() -> None:
    watch = watching()
    watch.see(noise(1), 100)
    watch.opened(500)
    watch.see(noise(1), 501)
    assert not watch.is_frozen


def test_black_is_told_after_a_while_and_a_clock_in_the_corner_does_not_hide_it() -> None:
    watch = watching()
    for now in range(100, 111):
        assert watch.reason == ""
        picture = noise(now, most=12)
        picture[:8, :16] = 255
        watch.see(picture, now)
    assert watch.reason == BLACK
    assert not watch.is_frozen
    watch.see(noise(1), 111)
    assert watch.reason == ""


def test_black_and_frozen_are_both_told() -> None:
    watch = watching()
    for now in (100, 111):
        watch.see(np.zeros((96, 128), np.uint8), now)
    assert watch.reason == FROZEN_BLACK


def test_a_change_of_size_is_a_change() -> None:
    watch = watching()
    watch.see(np.zeros((96, 128), np.uint8), 100)
    watch.see(np.zeros((48, 64), np.uint8), 115)
    assert not watch.is_frozen
