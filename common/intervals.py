"""Confidence intervals of a share and of a mean, 95 %, from counts and sums."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


def wilson_interval(count: int, n: int) -> tuple[float, float]:
    """The ends, 0 to 1, of the Wilson score interval of the share `count / n` (E. B. Wilson 1927).

    Raises ValueError unless 0 <= count <= n and n > 0.
    """
    if not 0 <= count <= n or not n:
        raise ValueError(f"count {count} of {n}: expected 0 to {n}, of at least 1")
    share, z2 = count / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    # For count = 0 and count = n the exact ends are 0 and 1; the formula misses them by rounding.
    return (middle - reach if count else 0.0), (middle + reach if count < n else 1.0)


def normal_interval(mean: float, variance: float, n: int) -> tuple[float, float]:
    """The ends of the normal interval of the mean of `n` independent values with this sample variance."""
    reach = Z95 * math.sqrt(variance / n)
    return mean - reach, mean + reach
