"""Recordings too short to show movement: their clear faces are visits, those of longer ones are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.analyser import Analyser
from inference.classifier import Classifier
from inference.opening import OPENING_US
from tests.inference.test_analyser import ScriptedDetector

FACE = (100.0, 80.0, 40.0, 50.0)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier()


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 255, (240, 320), np.uint8)


def count_visits(
    classifier: Classifier, picture: NDArray[np.uint8], pictures: int, step_us: int, score: float = 0.9
) -> int:
    """The visits of a recording of the same picture with one face."""
    analyser = Analyser(ScriptedDetector([FACE], score), classifier, "m")
    for number in range(pictures):
        assert not analyser.analyse("till", MICROSECONDS + number * step_us, picture).results
    return len(analyser.close("till").visits)


def test_a_clear_face_in_a_few_pictures_that_are_alike_is_a_visit(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    assert count_visits(classifier, picture, 3, 200_000) == 1
    assert count_visits(classifier, picture, 7, OPENING_US // 6) == 1


def test_two_pictures_are_too_few(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    assert count_visits(classifier, picture, 2, 200_000) == 0


def test_a_face_that_is_not_clear_is_no_visit(classifier: Classifier, picture: NDArray[np.uint8]) -> None:
    assert count_visits(classifier, picture, 3, 200_000, score=0.75) == 0


def test_a_face_that_stays_still_for_longer_is_a_poster(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    assert count_visits(classifier, picture, 10, 200_000) == 0


def test_a_poster_that_is_found_late_is_no_visit_when_the_recording_ends(
    classifier: Classifier, picture: NDArray[np.uint8]
) -> None:
    detector = ScriptedDetector([])
    analyser = Analyser(detector, classifier, "m")
    for number in range(20):
        detector.boxes = [FACE] if number >= 15 else []
        analyser.analyse("till", MICROSECONDS + number * 200_000, picture)
    assert not analyser.close("till").visits
