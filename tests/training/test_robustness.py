"""Degraded pictures: small, moved, and as our own detector frames them."""

from __future__ import annotations

import numpy as np
import pytest

from inference.detector import Detector
from tests.support.training_data import write_data
from training.classifier.validation import Pictures, load_pictures
from training.measure.robustness import degraded, detected, small


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("made")
    return load_pictures("validation", write_data(folder / "data", faces=28), folder / "cache", 48)


def test_small_crops_keep_their_size_and_lose_detail() -> None:
    checks = (np.indices((48, 48)).sum(axis=0) % 2 * 255).astype(np.uint8)[None]
    seen = small(checks, 12)
    assert seen.shape == checks.shape
    assert seen.std() < 0.1 * checks.std()
    assert seen.mean() == pytest.approx(checks.mean(), abs=2)


def test_every_case_shows_the_same_faces_differently(made: Pictures) -> None:
    cases = degraded(made)
    assert set(cases) >= {"moved boxes", "24 pixels", "16 pixels", "12 pixels"}
    for name in ("moved boxes", "12 pixels"):
        seen = cases[name]
        assert np.array_equal(seen.faces.labels, made.faces.labels)
        assert seen.face_crops.shape == made.face_crops.shape
        assert seen.person_crops.shape == made.person_crops.shape
        assert not np.array_equal(seen.face_crops, made.face_crops)


def test_moved_boxes_are_the_same_each_time(made: Pictures) -> None:
    first, second = (degraded(made)["moved boxes"] for _ in range(2))
    assert np.array_equal(first.person_crops, second.person_crops)


def test_where_the_detector_finds_nothing_there_is_no_case(made: Pictures) -> None:
    found = detected(made, Detector())
    assert len(found.face_crops) == len(found.faces.labels) == 0
    assert "found by our detector" not in degraded(made)
