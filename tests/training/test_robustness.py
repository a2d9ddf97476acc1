"""Degraded pictures: reduced, with moved boxes, and framed by our own detector."""

from __future__ import annotations

import numpy as np
import pytest

from inference.detector import Detector
from tests.support.training_data import write_data
from training.classifier.validation import EvaluationSet, load_evaluation_set
from training.measure.robustness import degrade_set, frame_with_detector, shrink


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> EvaluationSet:
    folder = tmp_path_factory.mktemp("made")
    return load_evaluation_set("validation", write_data(folder / "data", faces=28), folder / "cache", 48)


def test_small_crops_keep_their_size_and_lose_detail() -> None:
    checks = (np.indices((48, 48)).sum(axis=0) % 2 * 255).astype(np.uint8)[None]
    seen = shrink(checks, 12)
    assert seen.shape == checks.shape
    assert seen.std() < 0.1 * checks.std()
    assert seen.mean() == pytest.approx(checks.mean(), abs=2)


def test_every_case_changes_the_same_faces(made: EvaluationSet) -> None:
    cases = degrade_set(made)
    assert set(cases) >= {"moved boxes", "24 pixels", "16 pixels", "12 pixels"}
    for name in ("moved boxes", "12 pixels"):
        seen = cases[name]
        assert np.array_equal(seen.faces.labels, made.faces.labels)
        assert seen.face_crops.shape == made.face_crops.shape
        assert seen.person_crops.shape == made.person_crops.shape
        assert not np.array_equal(seen.face_crops, made.face_crops)


def test_moved_boxes_are_the_same_each_time(made: EvaluationSet) -> None:
    first, second = (degrade_set(made)["moved boxes"] for _ in range(2))
    assert np.array_equal(first.person_crops, second.person_crops)


def test_without_detections_there_is_no_detector_case(made: EvaluationSet) -> None:
    found = frame_with_detector(made, Detector())
    assert len(found.face_crops) == len(found.faces.labels) == 0
    assert "found by our detector" not in degrade_set(made)
