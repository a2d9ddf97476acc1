"""Evidence for a person: scores over time, and movement."""

from __future__ import annotations

import numpy as np
import pytest

from inference.detector import ScoreLevels
from inference.evidence import OBJECT_US, Evidence

LEVELS = ScoreLevels(weak=0.3, face=0.5, sure=0.8)
STEP = 100_000


def make_evidence(scores: list[float], step_x: float = 0.0, start: int = 0) -> Evidence:
    """A face 40 pixels wide, ten times a second, that moves to the right."""
    evidence = Evidence()
    for index, score in enumerate(scores):
        box = np.array([100 + step_x * index, 50, 40, 40], np.float32)
        evidence.add_detection(box, score, start + index * STEP)
    return evidence


@pytest.mark.parametrize(("score", "step_x", "person"), [
    (0.75, 0, False),
    (0.85, 0, True),
    (0.75, 5, True),
    (0.45, 5, False),
])  # fmt: skip
def test_a_still_face_needs_a_higher_score(score: float, step_x: float, person: bool) -> None:
    assert make_evidence([score] * 20, step_x).is_person(LEVELS) is person


def test_the_score_is_a_mean_of_all_at_first_and_of_the_last_second_later() -> None:
    assert make_evidence([0.3, 0.6, 0.9]).score == pytest.approx(0.6)
    assert make_evidence([0.2] * 100 + [0.9] * 30).score > 0.85


def test_a_pattern_that_sometimes_looks_like_a_face_is_not_a_person() -> None:
    """Patterned clothes move with people and sometimes reach the score of a face."""
    assert not make_evidence([0.35, 0.4, 0.35, 0.55, 0.35, 0.6, 0.4, 0.55], step_x=5).is_person(LEVELS)


def test_a_moving_track_must_look_clearly_like_a_face_once() -> None:
    """The back of a head keeps the score of a doubtful face; a face scores higher at times."""
    assert not make_evidence([0.6] * 50, step_x=5).is_person(LEVELS)
    assert make_evidence([0.6] * 20 + [0.8] * 20 + [0.6] * 20, step_x=5).is_person(LEVELS)


def test_jumps_of_single_boxes_are_not_movement() -> None:
    evidence = Evidence()
    for index in range(100):
        jump = 8.0 if index % 10 == 5 else 0.0
        evidence.add_detection(np.array([100 + jump, 50, 40, 40], np.float32), 0.7, index * STEP)
    assert not evidence.is_person(LEVELS)


def test_a_face_that_approaches_counts_as_moving() -> None:
    evidence = Evidence()
    for index in range(25):
        size = 40 + 2 * index
        evidence.add_detection(
            np.array([120 - size / 2, 70 - size / 2, size, size], np.float32), 0.7, index * STEP
        )
    assert evidence.is_person(LEVELS)


def test_a_face_that_is_still_for_a_minute_is_an_object() -> None:
    frames = OBJECT_US // STEP
    assert make_evidence([0.95] * frames).is_person(LEVELS)
    assert not make_evidence([0.95] * (frames + 2)).is_person(LEVELS)
