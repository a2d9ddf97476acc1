"""Figures with their uncertainty: shares with Wilson intervals, F1, confusion, paired comparisons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963985


@dataclass(frozen=True)
class Share:
    """A share of n trials with its 95 % Wilson score interval; all 0..1."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Mean:
    """A mean of n values with its 95 % interval under the normal distribution."""

    value: float
    low: float
    high: float
    n: int


def share(hits: NDArray[np.bool_]) -> Share:
    """The share of hits (n,), n > 0, with its interval (Wilson 1927)."""
    n = len(hits)
    p = float(hits.mean())
    spread = Z95**2 / n
    centre = (p + spread / 2) / (1 + spread)
    half = Z95 / (1 + spread) * np.sqrt(p * (1 - p) / n + spread / (4 * n))
    return Share(round(p, 4), round(centre - float(half), 4), round(centre + float(half), 4), n)


def mean(values: NDArray[np.float64]) -> Mean:
    """The mean of values (n,), n > 1, with its interval."""
    n, value = len(values), float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / math.sqrt(n)
    return Mean(round(value, 4), round(value - half, 4), round(value + half, 4), n)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """How likely hits (n,) of two methods on the same n trials are to differ so much by chance.

    Two-sided and exact: the trials that one method alone hits fall to either as a fair coin does
    (McNemar 1947). 1 where there are none.
    """
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    tail = sum(math.comb(gained + lost, hits) for hits in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << (gained + lost)))


def confusion(labels: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): rows are labels, columns what was found."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, found), 1)
    return counts


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of each class (k,) from a confusion matrix (k, k); 0 for a class never seen nor found."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(2 * np.diagonal(counts) / np.maximum(both, 1))
