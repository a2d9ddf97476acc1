"""Evidence for a person: scores over time, change of place, and sway."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.detector import ScoreLevels
from inference.evidence import OBJECT_US, Evidence

LEVELS = ScoreLevels(weak=0.3, face=0.5, sure=0.8)
STEP = 200_000
BOX = (100.0, 50.0, 40.0, 40.0)


def scene(shift: float = 0.0, noise: float = 0.0, light: float = 1.0, seed: int = 0) -> NDArray[np.uint8]:
    """Blurred dots, shifted to the right by a fraction of pixels, with noise and in other light."""
    dots = np.random.default_rng(7).integers(40, 200, (30, 40)).astype(np.float32)
    picture = cv2.resize(dots, (320, 240), interpolation=cv2.INTER_CUBIC)
    move = np.array([[1, 0, shift], [0, 1, 0]])
    picture = cv2.warpAffine(picture, move, (320, 240), borderMode=cv2.BORDER_REPLICATE) * light
    picture = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    return np.asarray(picture.round().clip(0, 255), np.uint8)


STILL = scene()


def make_evidence(
    scores: list[float],
    step_x: float = 0.0,
    step_us: int = STEP,
    picture: Callable[[int], NDArray[np.uint8]] = lambda _: STILL,
) -> Evidence:
    """A face 40 pixels wide that moves to the right."""
    evidence = Evidence()
    for index, score in enumerate(scores):
        box = np.array([BOX[0] + step_x * index, *BOX[1:]], np.float32)
        evidence.add_detection(box, score, index * step_us, picture(index))
    return evidence


def sway(index: int) -> NDArray[np.uint8]:
    """The head of somebody who sits: two pixels to and fro within some seconds, 5 % of the face's size."""
    return scene(shift=2 * np.sin(index / 4), noise=3, seed=index)


def poster(index: int) -> NDArray[np.uint8]:
    """A picture, with the camera's noise and changing light."""
    return scene(noise=6, light=1 + 0.1 * np.sin(index / 3), seed=index)


@pytest.mark.parametrize(("score", "step_x", "person"), [
    (0.95, 0, False),
    (0.75, 5, True),
    (0.45, 5, False),
])  # fmt: skip
def test_a_track_that_moves_and_looks_like_a_face_is_a_person(
    score: float, step_x: float, person: bool
) -> None:
    assert make_evidence([score] * 20, step_x).is_person(LEVELS) is person


@pytest.mark.parametrize("step_us", [STEP, MICROSECONDS, 5 * MICROSECONDS])
def test_somebody_who_sits_still_is_a_person_and_a_poster_is_not(step_us: int) -> None:
    assert make_evidence([0.75] * 25, step_us=step_us, picture=sway).is_person(LEVELS)
    assert not make_evidence([0.95] * 25, step_us=step_us, picture=poster).is_person(LEVELS)


def test_somebody_who_passes_in_front_of_a_poster_is_not_its_sway() -> None:
    def passed(index: int) -> NDArray[np.uint8]:
        picture = poster(index)
        if 10 <= index < 15:
            picture[:, 95 + 5 * (index - 10) :][:, :60] = 20
        return picture

    assert not make_evidence([0.95] * 25, picture=passed).is_person(LEVELS)


def test_the_score_is_a_mean_of_all_at_first_and_of_the_last_second_later() -> None:
    assert make_evidence([0.3, 0.6, 0.9]).score == pytest.approx(0.6)
    assert make_evidence([0.2] * 100 + [0.9] * 15).score > 0.85


def test_a_pattern_that_sometimes_looks_like_a_face_is_not_a_person() -> None:
    """Patterned clothes move with people and sometimes reach the score of a face."""
    assert not make_evidence([0.35, 0.4, 0.35, 0.55, 0.35, 0.6, 0.4, 0.55], step_x=5).is_person(LEVELS)


def test_a_track_must_look_clearly_like_a_face_once() -> None:
    """The back of a head keeps the score of a doubtful face; a face scores higher at times."""
    assert not make_evidence([0.6] * 50, step_x=5).is_person(LEVELS)
    assert not make_evidence([0.6] * 50, picture=sway).is_person(LEVELS)
    assert make_evidence([0.6] * 20 + [0.8] * 20 + [0.6] * 20, step_x=5).is_person(LEVELS)


@pytest.mark.parametrize("step_us", [STEP, 5 * MICROSECONDS])
def test_jumps_of_single_boxes_are_not_movement(step_us: int) -> None:
    evidence = Evidence()
    for index in range(100):
        jump = 8.0 if index % 10 == 5 else 0.0
        box = np.array([BOX[0] + jump, *BOX[1:]], np.float32)
        evidence.add_detection(box, 0.7, index * step_us, STILL)
    assert not evidence.is_person(LEVELS)


def test_a_face_that_approaches_counts_as_moving() -> None:
    evidence = Evidence()
    for index in range(25):
        size = 40 + 2 * index
        box = np.array([120 - size / 2, 70 - size / 2, size, size], np.float32)
        evidence.add_detection(box, 0.7, index * STEP, STILL)
    assert evidence.is_person(LEVELS)


def test_what_is_still_for_a_minute_is_an_object() -> None:
    evidence = make_evidence([0.95] * 20, step_x=5)
    end = 19 * STEP
    box = np.array([BOX[0] + 5 * 19, *BOX[1:]], np.float32)
    for second in range(1, OBJECT_US // MICROSECONDS + 1):
        evidence.add_detection(box, 0.95, end + second * MICROSECONDS, STILL)
    assert evidence.is_person(LEVELS)
    for second in range(2, 6):
        evidence.add_detection(box, 0.95, end + OBJECT_US + second * MICROSECONDS, STILL)
    assert not evidence.is_person(LEVELS)


def test_somebody_who_sits_for_minutes_remains_a_person() -> None:
    assert make_evidence([0.75] * 800, picture=lambda index: sway(index % 50)).is_person(LEVELS)


@pytest.mark.parametrize(
    ("score", "spacing_s", "person"), [(0.85, 5, True), (0.75, 5, False), (0.85, 1, False)]
)
def test_at_a_low_rate_one_face_beyond_doubt_is_a_person(score: float, spacing_s: int, person: bool) -> None:
    assert make_evidence([score]).is_person(LEVELS, spacing_s * MICROSECONDS) is person
