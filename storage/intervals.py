"""How far a figure may be off because only so many visits were counted.

None of these knows of the classifier's own errors: they are the error of counting alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959964
"""The 97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure between the ends of its 95 % interval, from `n` visits."""

    value: float
    low: float
    high: float
    n: int


def share_interval(count: int, n: int) -> Interval:
    """The share `count / n`, 0 to 1, with its Wilson score interval (E. B. Wilson 1927).

    Raises ValueError unless 0 <= count <= n and n > 0.
    """
    if not 0 <= count <= n or not n:
        raise ValueError(f"count {count} of {n}: expected 0 to {n}, of at least 1")
    share, z2 = count / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    # At the ends the formula gives 0 and 1 but for rounding.
    return Interval(share, middle - reach if count else 0.0, middle + reach if count < n else 1.0, n)


def mean_interval(n: int, total: float, squares: float) -> Interval:
    """The mean of `n` values from their sum and their sum of squares, with its normal interval.

    Takes the values as independent: right for hours, too narrow for weeks, whose days differ. One value
    alone has an interval without ends.

    Raises ValueError unless n > 0.
    """
    if n < 1:
        raise ValueError(f"n {n}: expected at least 1")
    mean = total / n
    if n == 1:
        return Interval(mean, -math.inf, math.inf, n)
    variance = max(squares - total * mean, 0.0) / (n - 1)
    reach = Z95 * math.sqrt(variance / n)
    return Interval(mean, mean - reach, mean + reach, n)
