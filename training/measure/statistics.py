"""Statistics: shares with Wilson intervals, means, McNemar's test, confusion matrix, F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from common.intervals import normal_interval, wilson_interval


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
    """The share of hits (n,), n > 0, with its Wilson score interval."""
    n = len(hits)
    low, high = wilson_interval(int(hits.sum()), n)
    return Share(round(float(hits.mean()), 4), round(low, 4), round(high, 4), n)


def mean(values: NDArray[np.float64]) -> Mean:
    """The mean of values (n,), n > 1, with its interval."""
    n, value = len(values), float(values.mean())
    low, high = normal_interval(value, float(values.var(ddof=1)), n)
    return Mean(round(value, 4), round(low, 4), round(high, 4), n)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """McNemar's exact two-sided test: the p-value for hits (n,) of two methods on the same n trials.

    It is the binomial test of the trials that only one method hits; 1 if there are none.
    """
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def confusion(labels: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Confusion matrix (classes, classes): rows are labels, columns are predictions."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, found), 1)
    return counts


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of each class (k,) from a confusion matrix (k, k); 0 for a class that never occurs."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(2 * np.diagonal(counts) / np.maximum(both, 1))
