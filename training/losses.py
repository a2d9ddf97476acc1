"""Losses and metrics for batches in which a sample may have a target for one head only.

A sample's weight for a head is 1 where it has a target and 0 where it has none: the mean is taken
over the labelled samples, and the others have no gradient. A target of zeros is none; one that adds
up to less than 1, as blending with none makes it, counts for that much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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


def mask(targets: Mapping[str, NDArray[Any]]) -> Targets:
    """Sample weights (n,) of each head for targets (n, k): 1 for a distribution, 0 for zeros."""
    return {head: np.asarray(rows.any(axis=1), np.float32) for head, rows in targets.items()}


def place(known: Targets, widths: Mapping[str, int]) -> Targets:
    """Targets of every head for n samples that have targets (n, k) of some heads only."""
    n = len(next(iter(known.values())))
    return {name: np.zeros((n, width), np.float32) for name, width in widths.items()} | known


def joined(first: Targets, second: Targets) -> Targets:
    """The targets of two groups of samples, one after the other."""
    return {head: np.concatenate([rows, second[head]]) for head, rows in first.items()}
