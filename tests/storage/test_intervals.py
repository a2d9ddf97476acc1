from __future__ import annotations

import math
import random

import pytest

from common.intervals import wilson_interval
from storage.intervals import mean_interval, share_interval


def test_a_share_has_its_wilson_interval() -> None:
    interval = share_interval(15, 148)
    assert (interval.value, interval.n) == (15 / 148, 148)
    assert (interval.low, interval.high) == wilson_interval(15, 148)


def test_the_interval_of_a_mean_follows_from_sums() -> None:
    values = [2.0, 4.0, 4.0, 6.0]
    interval = mean_interval(4, sum(values), sum(v * v for v in values))
    reach = 1.959964 * math.sqrt((4 + 4) / 3 / 4)
    assert interval.value == 4
    assert (interval.low, interval.high) == pytest.approx((4 - reach, 4 + reach))


def test_the_interval_of_equal_values_is_a_point() -> None:
    interval = mean_interval(3, 0.3, 0.1 * 0.1 * 3 - 1e-18)
    assert interval.low == pytest.approx(interval.high, abs=1e-6)


def test_the_interval_of_one_value_is_infinite() -> None:
    interval = mean_interval(1, 5.0, 25.0)
    assert (interval.value, interval.low, interval.high) == (5.0, -math.inf, math.inf)
    with pytest.raises(ValueError, match="n 0"):
        mean_interval(0, 0.0, 0.0)


def test_95_of_100_intervals_contain_the_mean() -> None:
    dice = random.Random(7)
    hits = 0
    for _ in range(2000):
        values = [dice.uniform(-1, 1) for _ in range(50)]
        interval = mean_interval(50, sum(values), sum(v * v for v in values))
        hits += interval.low <= 0 <= interval.high
    assert 0.93 < hits / 2000 < 0.965
