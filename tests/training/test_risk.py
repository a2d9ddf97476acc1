"""Risk against coverage, on faces whose curve is known."""

from __future__ import annotations

import numpy as np
import pytest

from training.measure.risk import POINTS, risk_coverage


def test_the_curve_is_the_mean_of_what_is_wrong_among_the_surest() -> None:
    found = risk_coverage(np.array([0.6, 0.9, 0.8, 0.7]), np.array([0.0, 1.0, 0.5, 1.0]))
    assert found.coverage == [0.25, 0.5, 0.75, 1.0]
    assert found.risk == pytest.approx([0, 0.5 / 2, 0.5 / 3, 1.5 / 4], abs=1e-4)
    assert found.aurc == pytest.approx(np.mean([0, 0.5 / 2, 0.5 / 3, 1.5 / 4]), abs=1e-4)


def test_equal_confidence_has_no_order() -> None:
    right = np.array([1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.5, 0.5])
    found = risk_coverage(confidence, right)
    assert found == risk_coverage(confidence[::-1], right[::-1])
    assert found.risk == pytest.approx([0.5, 0.5, 0.5, 0.5, 2 / 5, 2 / 6], abs=1e-4)


def test_many_faces_are_kept_at_even_steps_that_end_with_all() -> None:
    rng = np.random.default_rng(0)
    right = (rng.random(3589) < 0.7).astype(float)
    found = risk_coverage(rng.random(3589), right)
    assert len(found.coverage) == len(found.risk) == POINTS
    assert np.diff(found.coverage) == pytest.approx(1 / POINTS, abs=4e-4)
    assert found.coverage[-1] == 1
    assert found.risk[-1] == pytest.approx(1 - right.mean(), abs=1e-4)


def test_a_model_that_knows_when_it_is_wrong_has_the_least_area() -> None:
    rng = np.random.default_rng(0)
    right = (rng.random(2000) < 0.8).astype(float)
    knowing, guessing, misled = (risk_coverage(c, right).aurc for c in (right, rng.random(2000), -right))
    # With an error rate e: e + (1 - e) ln(1 - e) at best (Geifman et al. 2019), e by chance.
    assert knowing == pytest.approx(0.2 + 0.8 * np.log(0.8), abs=0.01)
    assert guessing == pytest.approx(0.2, abs=0.02)
    assert misled > guessing
