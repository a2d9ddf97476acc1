"""Means and shares with 95 % intervals that hold for visits of one day that are alike.

Visits of one day have a common cause: weather, staff, a delivery. Intervals of independent visits would be
too narrow, so over several days the sampling unit is the day. The mean over a period is a ratio of two sums
over its days; its variance is estimated from the residuals of the days (the linearized ratio estimator, W. G.
Cochran 1977, chapter 6), and the interval has the quantile of Student's t with one less degree of freedom
than there are days. A test shows by simulation that 93 to 97 % of such intervals contain the true value.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from common.intervals import Z95
from common.student import t95
from storage.intervals import Interval, mean_interval

FEWEST_DAYS = 4
"""The number of days from which on days are the sampling unit; with fewer, visits are."""

Array = NDArray[np.float64]


def mean_over_days(totals: Array, counts: Array, squares: float, scale: float = 1.0) -> Interval:
    """The mean of values over a period, times `scale`.

    `totals` and `counts` are the sum and the number of the values of each day, `squares` the sum of all
    squares, which is needed where there are fewer than `FEWEST_DAYS` days with values.

    Raises ValueError where there are no values.
    """
    with_values = counts > 0
    totals, counts = totals[with_values], counts[with_values]
    n = round(float(counts.sum()))
    if len(counts) < FEWEST_DAYS:
        return mean_interval(n, scale * float(totals.sum()), scale**2 * squares)
    mean = float(totals.sum() / counts.sum())
    reach = t95(len(counts) - 1) * math.sqrt(ratio_variance(totals, counts))
    return Interval(scale * mean, scale * (mean - reach), scale * (mean + reach), n)


def ratio_variance(totals: Array, counts: Array) -> float:
    """The variance of `totals.sum() / counts.sum()` from the residuals of at least two blocks."""
    blocks = len(counts)
    residuals = (totals - totals.sum() / counts.sum() * counts) / counts.sum()
    return float(blocks / (blocks - 1) * (residuals**2).sum())


def median_of_bins(bins: Array, edges: Array) -> Interval:
    """The median of values in a histogram with its 95 % interval by order statistics.

    `bins` has one more entry than `edges`; within a bin values are taken as evenly spread, and the last bin,
    which is open, counts as its lower edge.

    Raises ValueError where there are no values.
    """
    n = round(float(bins.sum()))
    if n < 1:
        raise ValueError("median of no values: expected at least 1")
    reach = Z95 * math.sqrt(n) / 2
    low, middle, high = (_quantile(bins, edges, n / 2 + offset) for offset in (-reach, 0.0, reach))
    return Interval(middle, low, high, n)


def _quantile(bins: Array, edges: Array, rank: float) -> float:
    cumulative = np.cumsum(bins)
    rank = min(max(rank, 0.0), float(cumulative[-1]))
    number = int(np.searchsorted(cumulative, rank, side="left"))
    lower = float(edges[number - 1]) if number else 0.0
    if number >= len(edges):
        return lower
    before = float(cumulative[number - 1]) if number else 0.0
    inside = float(bins[number])
    return lower + (float(edges[number]) - lower) * ((rank - before) / inside if inside else 0.0)
