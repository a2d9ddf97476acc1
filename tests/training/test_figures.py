"""Shares with intervals, confusion, F1."""

from __future__ import annotations

import numpy as np
import pytest

from training.measure.figures import confusion, f1, mcnemar, mean, share


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17), table I, score method without correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_intervals_are_those_published_for_wilsons_score(hits: int, n: int, low: float, high: float) -> None:
    found = share(np.arange(n) < hits)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    assert found.value == pytest.approx(hits / n, abs=5e-5)
    assert found.n == n


def test_confusion_has_labels_in_rows() -> None:
    assert confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 3).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    counts = np.array([[8, 2, 0], [4, 6, 0], [0, 0, 0]])
    precision, recall = 8 / 12, 8 / 10
    expected = 2 * precision * recall / (precision + recall)
    assert f1(counts) == pytest.approx([expected, 12 / 18, 0])


@pytest.mark.parametrize(
    ("gained", "lost", "expected"),
    [(6, 1, 0.125), (1, 6, 0.125), (10, 0, 2 / 1024), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_mcnemar_is_the_binomial_test_of_what_one_alone_hits(gained: int, lost: int, expected: float) -> None:
    first = np.array([True] * (20 + gained) + [False] * (lost + 5))
    second = np.array([True] * 20 + [False] * gained + [True] * lost + [False] * 5)
    assert mcnemar(first, second) == pytest.approx(expected)


def test_a_mean_has_the_interval_of_the_normal_distribution() -> None:
    found = mean(np.array([1.0, 2.0, 3.0, 4.0]))
    assert (found.value, found.n) == (2.5, 4)
    assert (found.low, found.high) == pytest.approx((2.5 - 1.96 * 0.6455, 2.5 + 1.96 * 0.6455), abs=1e-3)
