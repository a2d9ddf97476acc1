from __future__ import annotations

import numpy as np
import pytest

from inference.detector import ScoreLevels
from inference.evidence import THING_US, Evidence

LEVELS = ScoreLevels(weak=0.3, face=0.5, sure=0.8)
STEP = 100_000


def seen(scores: list[float], step_x: float = 0.0, start: int = 0) -> Evidence:
    """A face 40 pixels wide, ten times a second, that moves to the right."""
    evidence = Evidence()
    for index, score in enumerate(scores):
        box = np.array([100 + step_x * index, 50, 40, 40], np.float32)
        evidence.add(box, score, start + index * STEP)
    return evidence


@pytest.mark.parametrize(("score", "step_x", "person"), [
    (0.75, 0, False),
    (0.85, 0, True),
    (0.75, 5, True),
    (0.45, 5, False),
])  # fmt: skip
def test_the_still_have_to_be_beyond_doubt(score: float, step_x: float, person: bool) -> None:
    assert seen([score] * 20, step_x).convinces(LEVELS) is person


def test_the_score_is_a_mean_of_few_and_forgets_after_seconds() -> None:
    assert seen([0.3, 0.6, 0.9]).score == pytest.approx(0.6)
    assert seen([0.2] * 100 + [0.9] * 30).score > 0.85


def test_a_pattern_that_flickers_does_not_convince() -> None:
    """Patterned clothes move with people and reach a face's scores now and then."""
    assert not seen([0.35, 0.4, 0.35, 0.55, 0.35, 0.6, 0.4, 0.55], step_x=5).convinces(LEVELS)


def test_what_moves_has_to_look_like_a_face_once() -> None:
    """The back of a head scores as a doubtful face does for as long as it is seen, a face better at times."""
    assert not seen([0.6] * 50, step_x=5).convinces(LEVELS)
    assert seen([0.6] * 20 + [0.8] * 20 + [0.6] * 20, step_x=5).convinces(LEVELS)


def test_jumps_of_single_boxes_are_no_movement() -> None:
    evidence = Evidence()
    for index in range(100):
        jump = 8.0 if index % 10 == 5 else 0.0
        evidence.add(np.array([100 + jump, 50, 40, 40], np.float32), 0.7, index * STEP)
    assert not evidence.convinces(LEVELS)


def test_a_face_that_comes_nearer_moves() -> None:
    evidence = Evidence()
    for index in range(25):
        size = 40 + 2 * index
        evidence.add(np.array([120 - size / 2, 70 - size / 2, size, size], np.float32), 0.7, index * STEP)
    assert evidence.convinces(LEVELS)


def test_what_stands_still_for_a_minute_is_a_thing() -> None:
    frames = THING_US // STEP
    assert seen([0.95] * frames).convinces(LEVELS)
    assert not seen([0.95] * (frames + 2)).convinces(LEVELS)
