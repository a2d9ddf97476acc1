"""Ways of pooling: those that are measured are those that run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from inference.classifier import Classifier
from inference.model_file import MODELS
from inference.pooling import Pool
from tests.support.training_data import write_data
from training.errors import DatasetError
from training.measure.pooling import BASELINE, SCALES, SHIPPED, WEIGHTS, compared, measure, pooled, recency
from training.measure.visitors import GAITS, Sightings
from training.pages.pooling import comparison_table


def sightings(clips: list[int], size: int = 48) -> Sightings:
    """Noise of growing sharpness, five times a second in each clip."""
    random, n = np.random.default_rng(2), len(clips)
    contrast = np.linspace(20, 200, n)[:, None, None]
    crops = (128 + contrast * (random.random((n, size, size)) - 0.5)).astype(np.uint8)
    times = np.arange(n) / 5 - np.array([clips.index(clip) for clip in clips]) / 5
    return Sightings(np.array(clips), times, crops, random.uniform(0.4, 0.9, n), random.uniform(15, 40, n))


def way(figures: dict, of: str, weights: str) -> dict:
    (found,) = [way for way in figures["ways"] if (way["of"], way["weights"]) == (of, weights)]
    return found


def test_the_way_that_is_said_to_run_runs() -> None:
    classifier, seen = Classifier(), sightings([0, 0, 0, 0, 1, 1, 1])
    classes = classifier.classify(seen.crops)
    scale, name = SHIPPED
    weights = WEIGHTS[name](seen)
    expressions = pooled(classes.expressions, weights, seen.clips, 2, scale)
    genders = pooled(classes.genders, weights, seen.clips, 2, scale)
    for clip in range(2):
        pool = Pool()
        for row in np.flatnonzero(seen.clips == clip):
            pool.add(classes, int(row), float(weights[row]))
        told = pool.estimate(classifier.expression_head, classifier.gender_head)
        np.testing.assert_allclose(list(told.expressions.values()), expressions[clip], atol=1e-5)
        women = genders[clip, classifier.gender_head.labels.index("female")]
        assert told.female == pytest.approx(women, abs=1e-5)


def test_recent_faces_weigh_what_a_moving_average_gives_them() -> None:
    seen = sightings([0, 0, 0, 2, 2])
    seen.times[2] = 1.4
    values = np.array([0.1, 0.8, 0.3, 0.5, 0.9])
    for clip in (0, 2):
        rows = np.flatnonzero(seen.clips == clip)
        average, before = values[rows[0]], seen.times[rows[0]]
        for row in rows[1:]:
            average += (1 - np.exp(-(seen.times[row] - before) / 0.5)) * (values[row] - average)
            before = seen.times[row]
        weights = recency(seen)[rows]
        assert weights.sum() == pytest.approx(1)
        assert (weights * values[rows]).sum() == pytest.approx(average)


def test_the_last_face_alone_is_the_last_one() -> None:
    assert WEIGHTS["last face alone"](sightings([0, 0, 0, 2, 2, 5])).tolist() == [0, 0, 1, 0, 1, 1]


def test_ways_are_compared_visit_by_visit() -> None:
    """Clip 0: one sure wrong face among three; clip 1: all right; clip 2 has too few faces to be a visit."""
    seen = sightings([0, 0, 0, 1, 1, 1, 2, 2])
    right = np.array([0.05, 0.7, 0.6, 0.8, 0.9, 0.8, 0.1, 0.1], np.float32)
    found = np.stack([right, 1 - right], axis=1)
    truth = np.array([[1, 0]] * 3, np.float32)
    figures = compared(seen, found, truth)
    assert (figures["clips"], figures["visits"], figures["faces_per_visit"]) == (3, 2, 3.0)
    assert len(figures["ways"]) == len(SCALES) * len(WEIGHTS)
    mean, last = way(figures, *BASELINE), way(figures, "probabilities", "last face alone")
    assert (mean["right"]["value"], last["right"]["value"]) == (0.5, 1.0)
    assert (last["against_mean"]["gained"], last["against_mean"]["lost"], last["against_mean"]["p"]) == (
        1,
        0,
        1.0,
    )
    assert mean["crossentropy"] == pytest.approx(-np.log([1.35 / 3, 2.5 / 3]).mean(), abs=1e-3)
    assert mean["against_mean"]["crossentropy"]["value"] == 0
    assert last["against_mean"]["crossentropy"]["high"] < 0.2


def test_pictures_in_which_no_face_is_seen_are_refused(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", faces=28, people=24)
    with pytest.raises(DatasetError, match="the detector saw faces in 0 of 7 clips; give more"):
        measure(data, tmp_path / "cache", faces=10)


def test_what_runs_is_as_near_to_the_truth_as_anything_that_was_measured() -> None:
    """By the kept figures nothing is right more often than chance allows, or clearly nearer in entropy."""
    figures = json.loads((MODELS / "pooling.json").read_text())
    assert figures["gaits"].keys() == GAITS.keys()
    for heads in figures["gaits"].values():
        for measured in heads.values():
            ours = way(measured, *SHIPPED)
            assert all(ours["right"]["value"] >= each["right"]["low"] for each in measured["ways"])
            least = min(each["crossentropy"] for each in measured["ways"])
            assert ours["crossentropy"] < least + 0.01


def test_the_table_marks_what_runs() -> None:
    figures = json.loads((MODELS / "pooling.json").read_text())
    marked = re.findall(r"^\| \*\*(.*)\*\* \|", comparison_table(figures, "stands"), re.MULTILINE)
    assert marked == [", ".join(SHIPPED)]
