"""Temperature, calibration error and the threshold of "unknown", on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.classifier import softmax
from training.measure.calibration import agreement, calibration_error, fit_temperature, unknown_below

Floats = NDArray[np.float32]


def drawn(temperature: float, n: int = 40_000, classes: int = 4) -> tuple[Floats, Floats]:
    """Logits that are `temperature` times too large, and labels drawn from their true softmax."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, classes)).astype(np.float32)
    chances = softmax(logits, 1.0).cumsum(axis=1)
    labels = (rng.random((n, 1)) > chances).sum(axis=1).clip(0, classes - 1)
    return logits * np.float32(temperature), np.eye(classes, dtype=np.float32)[labels]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_soft_truth_gives_the_exact_temperature(temperature: float) -> None:
    logits, _ = drawn(1.0, n=500)
    truth = softmax(logits, 1.0)
    assert fit_temperature(logits * np.float32(temperature), truth) == pytest.approx(temperature, abs=2e-3)


def test_calibration_error_is_small_under_the_right_temperature_alone() -> None:
    logits, truth = drawn(3.0)
    assert calibration_error(softmax(logits, 3.0), truth) < 0.01
    assert calibration_error(softmax(logits, 1.0), truth) > 0.1


def test_calibration_error_is_the_gap_per_bin_weighted_by_faces() -> None:
    probabilities = np.array([[0.91, 0.09]] * 4 + [[0.55, 0.45]] * 4, np.float32)
    truth = np.array([[1, 0]] * 3 + [[0, 1]] + [[1, 0]] * 2 + [[0, 1]] * 2, np.float32)
    assert calibration_error(probabilities, truth) == pytest.approx((0.16 + 0.05) / 2)


def test_agreement_is_what_the_truth_gives_to_the_label() -> None:
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9]], np.float32)
    assert agreement(probabilities, np.array([[0.7, 0.3], [1, 0]], np.float32)) == pytest.approx([0.7, 0])


def test_the_threshold_is_where_labels_become_right_often_enough() -> None:
    confidence = np.linspace(0.5, 1.0, 1000)
    right = np.tile([1.0, 0.0], 500)
    right[600:] = 1.0
    probabilities = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    truth = np.stack([right, 1 - right], axis=1).astype(np.float32)
    assert unknown_below(probabilities, truth, 0.8) == pytest.approx(confidence[600], abs=2e-3)
    assert unknown_below(probabilities, truth, 0.3) == 0.0


def test_nothing_is_known_where_no_label_is_right_often_enough() -> None:
    probabilities = np.tile(np.array([[0.9, 0.1]], np.float32), (10, 1))
    truth = np.tile(np.array([[0.4, 0.6]], np.float32), (10, 1))
    assert unknown_below(probabilities, truth, 0.5) == 1.0
