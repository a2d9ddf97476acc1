"""95 % intervals of the dashboard's figures.

They contain the sampling error of the visits, but not the classifier's own errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from common.intervals import normal_interval, wilson_interval


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with the ends of its 95 % interval, from `n` visits."""

    value: float
    low: float
    high: float
    n: int


def finite(end: float) -> float | None:
    """An end of an interval for a table or a chart, None where it is infinite, as that of one value."""
    return end if math.isfinite(end) else None


def share_interval(count: int, n: int) -> Interval:
    """The share `count / n`, 0 to 1, with its Wilson score interval.

    Raises ValueError unless 0 <= count <= n and n > 0.
    """
    low, high = wilson_interval(count, n)
    return Interval(count / n, low, high, n)


def mean_interval(n: int, total: float, squares: float) -> Interval:
    """The mean of `n` values from their sum and their sum of squares, with its normal interval.

    The values are taken as independent: right for hours, too narrow for weeks, whose days differ. The
    interval of one value is infinite.

    Raises ValueError unless n > 0.
    """
    if n < 1:
        raise ValueError(f"n {n}: expected at least 1")
    mean = total / n
    if n == 1:
        return Interval(mean, -math.inf, math.inf, n)
    variance = max(squares - total * mean, 0.0) / (n - 1)
    return Interval(mean, *normal_interval(mean, variance, n), n)
