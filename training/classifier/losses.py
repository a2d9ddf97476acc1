"""Losses and metrics for batches in which a sample may have a target for one head only.

A sample's weight for a head is what its target adds up to: 1 for a distribution, 0 where it has none, and
something between where it was blended with one that has none. The mean is taken by weight, and samples
without a target have no gradient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

Targets = dict[str, NDArray[np.float32]]


def losses(heads: Iterable[str]) -> dict[str, keras.losses.Loss]:
    """Cross-entropy of soft targets and logits for each head, averaged over its labelled rows."""
    return {
        head: keras.losses.CategoricalCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
        for head in heads
    }


def metrics(heads: Iterable[str]) -> dict[str, list[keras.metrics.Metric]]:
    """Cross-entropy and accuracy for each head over its labelled rows (`weighted_metrics`)."""
    return {
        head: [
            keras.metrics.CategoricalCrossentropy(from_logits=True, name="crossentropy"),
            keras.metrics.CategoricalAccuracy(name="accuracy"),
        ]
        for head in heads
    }


def weighed(targets: Targets) -> tuple[Targets, Targets]:
    """Targets (n, k) of each head as distributions, or zeros, and the weights (n,) that they had.

    TensorFlow's gradient of the cross-entropy takes for granted that a target adds up to 1: one that
    does not would push all logits the same way for ever.
    """
    weights = {head: rows.sum(axis=1) for head, rows in targets.items()}
    whole = {
        head: np.divide(rows, weights[head][:, None], out=np.zeros_like(rows), where=rows > 0)
        for head, rows in targets.items()
    }
    return whole, weights


def place(known: Targets, widths: Mapping[str, int]) -> Targets:
    """Targets of every head for n samples that have targets (n, k) of some heads only."""
    n = len(next(iter(known.values())))
    return {name: np.zeros((n, width), np.float32) for name, width in widths.items()} | known


def joined(parts: Sequence[Targets]) -> Targets:
    """The targets of groups of samples, one after the other; all have the same heads."""
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}


def one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Targets (n, classes) of labels (n,)."""
    return np.eye(classes, dtype=np.float32)[labels]


def smoothed(targets: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Targets (n, k) of which a share is spread evenly over all classes."""
    return targets * np.float32(1 - share) + np.float32(share / targets.shape[1])
