"""Student's t distribution: probability and quantile, for intervals from few blocks."""

from __future__ import annotations

import math
from functools import lru_cache

_STEPS = 200
_TINY = 1e-300
_CLOSE = 1e-12


def two_sided_p(t: float, df: float) -> float:
    """The probability that a Student variable with `df` degrees of freedom is farther from 0 than `t`.

    It is the regularized incomplete beta function I(df / (df + t^2); df / 2, 1 / 2).

    Raises ValueError unless df > 0.
    """
    if not df > 0:
        raise ValueError(f"degrees of freedom {df}: expected more than 0")
    if math.isinf(df):
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


@lru_cache(maxsize=1024)
def t95(df: float) -> float:
    """The factor of a two-sided 95 % interval with `df` degrees of freedom, by bisection.

    Raises ValueError unless df > 0.
    """
    low, high = 0.0, 2.0
    while two_sided_p(high, df) > 0.05:
        high *= 2
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided_p(middle, df) > 0.05 else (low, middle)
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (Lentz's method)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(b, a, 1 - x) / b
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _CLOSE:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
