"""Confidence that means what it says: temperature, calibration error, and when to say "unknown"."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inference.classifier import softmax

BINS = 15


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature with the least cross-entropy on labelled logits (n, k).

    One parameter as in Guo et al. 2017 (doi:10.48550/arXiv.1706.04599), by golden section on its
    logarithm between 1/5 and 5: the cross-entropy is convex in 1/T, so has one minimum.
    """
    low, high = np.log(0.2), np.log(5.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        if _crossentropy(logits, labels, left) < _crossentropy(logits, labels, right):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 4)


def calibration_error(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Expected calibration error of the top class over 15 bins of equal width, 0..1."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(float(correct[bins == b].sum() - confidence[bins == b].sum())) for b in range(BINS)]
    return sum(gaps) / len(labels)


def unknown_below(probabilities: NDArray[np.float32], labels: NDArray[np.int64], wanted: float) -> float:
    """The top probability under which a label would be right less often than `wanted`, 0..1.

    Faces are sorted by confidence; among each 5 % of neighbours the share of right labels is
    taken. The threshold is the highest confidence at which that share is still below `wanted`.
    """
    confidence = probabilities.max(axis=1)
    order = np.argsort(confidence)
    correct = (probabilities.argmax(axis=1) == labels)[order].astype(np.float64)
    window = max(1, len(labels) // 20)
    shares = np.convolve(correct, np.full(window, 1 / window), mode="valid")
    below = np.flatnonzero(shares < wanted)
    if not len(below):
        return 0.0
    return round(float(confidence[order][below[-1] + window // 2]), 3)


def _crossentropy(logits: NDArray[np.float32], labels: NDArray[np.int64], log_temperature: float) -> float:
    chosen = softmax(logits, float(np.exp(log_temperature)))[np.arange(len(labels)), labels]
    return float(-np.log(chosen.clip(1e-12)).mean())
