"""Confidence that means what it says: temperature, calibration error, and when to say "unknown".

Truth is a distribution over classes per face, as raters differ: a label is right to the extent that
the truth holds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.classifier import softmax

BINS = 15

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Bin:
    """The faces of one bin of a reliability diagram: their number, mean top probability, mean agreement."""

    above: float
    """Where the bin begins; all are 1/15 wide."""
    faces: int
    confidence: float
    right: float


def fit_temperature(logits: Floats, truth: Floats) -> float:
    """The temperature with the least cross-entropy between logits (n, k) and truth (n, k).

    One parameter as in Guo et al. 2017 (doi:10.48550/arXiv.1706.04599), by golden section on its
    logarithm between 1/5 and 5: the cross-entropy is convex in 1/T, so has one minimum.
    """
    low, high = np.log(0.2), np.log(5.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        at_left, at_right = (crossentropy(logits, truth, float(np.exp(x))) for x in (left, right))
        if at_left < at_right:
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def agreement(probabilities: Floats, truth: Floats) -> NDArray[np.float64]:
    """How far the likeliest class of each face (n, k) is right (n,), 0..1."""
    return np.asarray(truth[np.arange(len(truth)), probabilities.argmax(axis=1)], np.float64)


def reliability(probabilities: Floats, truth: Floats) -> list[Bin]:
    """The bins, of 15 of equal width, that hold faces (n, k), by confidence."""
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

    How far labels are right is taken as a rising function of confidence, fitted by isotonic
    regression. 0 where every label is good enough, 1 where none is.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence)
    good = np.flatnonzero(_rising(agreement(probabilities, truth)[order]) >= wanted)
    if not len(good):
        return 1.0
    return round(float(confidence[order][good[0]]), 3) if good[0] else 0.0


def _rising(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares fit (n,) of values (n,) that never falls (pool adjacent violators)."""
    means: list[float] = []
    sizes: list[int] = []
    for value in values.tolist():
        means.append(value)
        sizes.append(1)
        while len(means) > 1 and means[-2] >= means[-1]:
            mean, size = means.pop(), sizes.pop()
            means[-1] = (means[-1] * sizes[-1] + mean * size) / (sizes[-1] + size)
            sizes[-1] += size
    return np.repeat(means, sizes)


def crossentropy(logits: Floats, truth: Floats, temperature: float = 1.0) -> float:
    """Mean cross-entropy, in nats, of the softmax of logits (n, k) to truth (n, k)."""
    return float(crossentropies(softmax(logits, temperature), truth).mean())


def crossentropies(found: NDArray[np.floating], truth: Floats) -> NDArray[np.floating]:
    """The cross-entropy (n,), in nats, of each distribution (n, k) to the truth (n, k)."""
    return np.asarray(-(truth * np.log(found.clip(1e-12))).sum(axis=1))
