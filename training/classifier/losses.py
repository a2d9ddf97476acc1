"""Losses and metrics for batches in which a sample may have a target for one head only.

A sample's weight for a head is the sum of its target: 1 for a distribution, 0 without a target, and between
0 and 1 after mixup with a sample without a target. Means are weighted; samples without a target have no
gradient.
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


def normalise_targets(targets: Targets) -> tuple[Targets, Targets]:
    """Normalise targets (n, k) of each head to distributions, or zeros; returns them and their weights (n,).

    TensorFlow's gradient of the cross-entropy assumes that a target sums to 1: otherwise it would push all
    logits in the same direction without end.
    """
    weights = {head: rows.sum(axis=1) for head, rows in targets.items()}
    normalised = {
        head: np.divide(rows, weights[head][:, None], out=np.zeros_like(rows), where=rows > 0)
        for head, rows in targets.items()
    }
    return normalised, weights


def fill_missing_heads(known: Targets, widths: Mapping[str, int]) -> Targets:
    """Add zero targets for the heads that have none; `known` has targets (n, k) of some heads."""
    n = len(next(iter(known.values())))
    return {name: np.zeros((n, width), np.float32) for name, width in widths.items()} | known


def concatenate_targets(parts: Sequence[Targets]) -> Targets:
    """Concatenate the targets of groups of samples; all have the same heads."""
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}


def one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Targets (n, classes) of labels (n,)."""
    return np.eye(classes, dtype=np.float32)[labels]


def smooth_labels(targets: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Label smoothing: spread a share of targets (n, k) evenly over all classes."""
    return targets * np.float32(1 - share) + np.float32(share / targets.shape[1])
