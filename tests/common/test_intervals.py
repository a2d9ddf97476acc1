from __future__ import annotations

import math

import pytest

from common.intervals import normal_interval, wilson_interval


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_equal_published_ones(count: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998, table I."""
    assert wilson_interval(count, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_intervals_of_0_and_1_end_exactly_there() -> None:
    for n in range(1, 200):
        assert wilson_interval(0, n)[0] == 0
        assert wilson_interval(n, n)[1] == 1


@pytest.mark.parametrize(("count", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"count {count} of {n}"):
        wilson_interval(count, n)


def test_the_normal_interval_is_1_96_standard_errors_wide_on_each_side() -> None:
    assert normal_interval(4, 9, 36) == pytest.approx((4 - 1.95996 / 2, 4 + 1.95996 / 2), abs=1e-5)
    assert not math.isnan(normal_interval(0, 0, 1)[0])
