"""Calibration of confidence: temperature, calibration error, and the threshold of "unknown".

The truth is a distribution over classes per face, because raters differ: a label is right to the share that
the truth gives to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize_scalar
from scipy.special import log_softmax

from inference.classifier import softmax

BINS = 15

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bin:
    """The faces of one bin of a reliability diagram: their number, mean top probability, mean agreement."""

    above: float
    """Lower edge of the bin; the width is 1/15."""
    faces: int
    confidence: float
    right: float


def fit_temperature(logits: Floats, truth: Floats) -> float:
    """The temperature with the lowest cross-entropy between logits (n, k) and truth (n, k).

    Temperature scaling (Guo et al. 2017, doi:10.48550/arXiv.1706.04599), searched on a logarithmic scale
    between 1/5 and 5: the cross-entropy is convex in 1/T, so it has one minimum.
    """
    exact = logits.astype(np.float64)
    found = minimize_scalar(
        lambda x: -(truth * log_softmax(exact / np.exp(x), axis=1)).sum(axis=1).mean(),
        bounds=(np.log(0.2), np.log(5.0)),
        options={"xatol": 1e-6},
    )
    return round(float(np.exp(found.x)), 4)


def agreement(probabilities: Floats, truth: Floats) -> NDArray[np.float64]:
    """The share of the truth for the likeliest class of each face (n, k): (n,), 0..1."""
    return np.asarray(truth[np.arange(len(truth)), probabilities.argmax(axis=1)], np.float64)


def reliability(probabilities: Floats, truth: Floats) -> list[Bin]:
    """The non-empty bins of 15 equal bins of confidence, for faces (n, k)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = agreement(probabilities, truth)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(number / BINS, len(rows), float(confidence[rows].mean()), float(right[rows].mean()))
        for number in range(BINS)
        if len(rows := np.flatnonzero(bins == number))
    ]


def calibration_error(probabilities: Floats, truth: Floats) -> float:
    """Expected calibration error of the top class over 15 bins of equal width, 0..1."""
    bins = reliability(probabilities, truth)
    return sum(each.faces * abs(each.right - each.confidence) for each in bins) / len(truth)


def unknown_below(probabilities: Floats, truth: Floats, wanted: float) -> float:
    """The lowest top probability at which a label is right at least to the share `wanted`.

    The share is fitted as a non-decreasing function of confidence by isotonic regression. 0 if every label
    reaches it, 1 if none does.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence)
    fitted = isotonic_regression(agreement(probabilities, truth)[order]).x
    good = np.flatnonzero(fitted >= wanted)
    if not len(good):
        return 1.0
    return round(float(confidence[order][good[0]]), 3) if good[0] else 0.0


def crossentropy(logits: Floats, truth: Floats, temperature: float = 1.0) -> float:
    """Mean cross-entropy, in nats, of the softmax of logits (n, k) to truth (n, k)."""
    return float(crossentropies(softmax(logits, temperature), truth).mean())


def crossentropies(found: NDArray[np.floating], truth: Floats) -> NDArray[np.floating]:
    """The cross-entropy (n,), in nats, of each distribution (n, k) to the truth (n, k)."""
    return np.asarray(-(truth * np.log(found.clip(1e-12))).sum(axis=1))
