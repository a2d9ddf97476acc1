from __future__ import annotations

import math
import random

import pytest

from storage.intervals import mean_interval, share_interval


def test_wilson_as_in_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (count, n), (low, high) in published.items():
        interval = share_interval(count, n)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)
        assert interval.value == count / n
        assert interval.n == n


def test_shares_of_nothing_and_of_all_stay_within_0_and_1() -> None:
    assert share_interval(0, 3).low == 0
    assert share_interval(3, 3).high == 1
    assert share_interval(3, 3).low < 1


@pytest.mark.parametrize(("count", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"count {count} of {n}"):
        share_interval(count, n)


def test_mean_from_sums() -> None:
    values = [2.0, 4.0, 4.0, 6.0]
    interval = mean_interval(4, sum(values), sum(v * v for v in values))
    reach = 1.959964 * math.sqrt((4 + 4) / 3 / 4)
    assert interval.value == 4
    assert (interval.low, interval.high) == pytest.approx((4 - reach, 4 + reach))


def test_equal_values_have_no_spread_in_spite_of_rounding() -> None:
    interval = mean_interval(3, 0.3, 0.1 * 0.1 * 3 - 1e-18)
    assert interval.low == pytest.approx(interval.high, abs=1e-6)


def test_one_value_says_nothing_of_the_others() -> None:
    interval = mean_interval(1, 5.0, 25.0)
    assert (interval.value, interval.low, interval.high) == (5.0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="n 0"):
        mean_interval(0, 0.0, 0.0)


def test_the_mean_lies_in_95_of_100_intervals() -> None:
    dice = random.Random(7)
    hits = 0
    for _ in range(2000):
        values = [dice.uniform(-1, 1) for _ in range(50)]
        interval = mean_interval(50, sum(values), sum(v * v for v in values))
        hits += interval.low <= 0 <= interval.high
    assert 0.93 < hits / 2000 < 0.965
