"""95 % intervals contain the true value in most simulated histories whose visits of one day are alike.

Those of means, differences and shares of 30 % do so in 93 to 97 %, those of rare shares and of medians in at
least 90 %.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from common.student import t95, two_sided_p
from storage.figures.difference import Side, adjust_holm, difference, restrict
from storage.figures.estimate import (
    FEWEST_DAYS,
    Array,
    mean_over_days,
    median_over_days,
    shares_over_days,
)
from storage.figures.groups import GROUP_COLUMNS, Figures, figures_of
from storage.intervals import Interval, share_interval
from storage.tables import DWELL_BINS, DWELL_EDGES_S

REPEATS = 1500
TRUE_MOOD = 20.0


def simulate_days(
    dice: np.random.Generator, days: int, mean: float
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    """The sum, the number and the sum of squares of each day's moods; each day has a level of its own."""
    counts = dice.poisson(dice.lognormal(4, 0.4, days)) + 1
    levels = mean + dice.normal(0, 6, days)
    totals = np.zeros(days)
    squares = np.zeros(days)
    for day, (level, count) in enumerate(zip(levels, counts, strict=True)):
        moods = dice.normal(level, 40, count)
        totals[day], squares[day] = moods.sum(), (moods**2).sum()
    return totals, counts.astype(float), squares


@pytest.mark.parametrize("days", [7, 28, 91])
def test_the_interval_of_a_mean_over_days_holds(days: int) -> None:
    dice = np.random.default_rng(days)
    hits, naive = 0, 0
    for _ in range(REPEATS):
        totals, counts, squares = simulate_days(dice, days, TRUE_MOOD)
        found = mean_over_days(totals, counts, float(squares.sum()))
        hits += found.low <= TRUE_MOOD <= found.high
        n, mean = counts.sum(), totals.sum() / counts.sum()
        reach = 1.96 * np.sqrt((squares.sum() / n - mean**2) / n)
        naive += abs(mean - TRUE_MOOD) <= reach
    assert 0.93 <= hits / REPEATS <= 0.97
    assert naive / REPEATS < 0.9, "visits as independent values give intervals that are too narrow"


def simulate_shares(dice: np.random.Generator, days: int, share: float) -> tuple[Array, Array]:
    """The number of visits of a kind, and of all visits, of each day; each day has a share of its own.

    The shares of days have the mean `share`; around 30 % their standard deviation is 5 points.
    """
    counts = dice.poisson(dice.lognormal(np.log(200), 0.4, days)) + 1
    shares = dice.beta(83 * share, 83 * (1 - share), days)
    return dice.binomial(counts, shares).astype(float), counts.astype(float)


@pytest.mark.parametrize(("share", "least"), [(0.3, 0.93), (0.05, 0.9)])
@pytest.mark.parametrize("days", [4, 7, 28, 91])
def test_the_interval_of_a_share_over_days_holds(days: int, share: float, least: float) -> None:
    dice = np.random.default_rng(days)
    hits, naive = 0, 0
    for _ in range(REPEATS):
        totals, counts = simulate_shares(dice, days, share)
        (found,) = shares_over_days(totals[:, None], counts)
        hits += found.low <= share <= found.high
        independent = share_interval(round(totals.sum()), round(counts.sum()))
        naive += independent.low <= share <= independent.high
    assert least <= hits / REPEATS <= 0.97
    assert naive / REPEATS < 0.8, "visits as independent values give intervals that are too narrow"


HAPPY, OF_ALL = np.asarray([5.0, 35, 10, 30, 8, 32]), np.full(6, 40.0)
LABELS_OF = {
    "expression": ("n_happiness_male", "n_neutral_male"),
    "gender": ("n_neutral_female", "n_neutral_male"),
    "not labelled": ("n_neutral_unknown", "n_neutral_male"),
}


def figures_of_days(days: int, labels: tuple[str, str] = LABELS_OF["expression"]) -> Figures:
    """Of each day `OF_ALL` visits, of which `HAPPY` have the first label and stay for a long time."""
    long, short = DWELL_BINS[-2], DWELL_BINS[1]
    columns = {"visits": OF_ALL, long: HAPPY, short: OF_ALL - HAPPY}
    columns |= {labels[0]: HAPPY, labels[1]: OF_ALL - HAPPY}
    rows = np.zeros((len(OF_ALL), len(GROUP_COLUMNS)))
    for name, values in columns.items():
        rows[:, GROUP_COLUMNS.index(name)] = values
    return figures_of(rows[:days])


def share_named(figure: str, days: int) -> Interval | None:
    found = figures_of_days(days, LABELS_OF.get(figure, LABELS_OF["expression"]))
    return {
        "expression": found.expressions.get("happiness"),
        "gender": found.genders.get("female"),
        "not labelled": found.gender_unknown,
        "engagement": found.engagement,
    }[figure]


@pytest.mark.parametrize("figure", [*LABELS_OF, "engagement"])
def test_every_share_over_several_days_has_the_interval_of_days(figure: str) -> None:
    (expected,) = shares_over_days(HAPPY[:, None], OF_ALL)
    assert share_named(figure, 6) == expected
    independent = share_interval(120, 240)
    assert expected.high - expected.low > 3 * (independent.high - independent.low)
    assert share_named(figure, FEWEST_DAYS - 1) == share_interval(50, 120), "visits are the sampling unit"


def test_a_share_that_is_equal_on_all_days_has_the_interval_of_independent_visits() -> None:
    visits = np.full(7, 20.0)
    for happy in (0, 10, 20):
        found = shares_over_days(np.full((7, 1), float(happy)), visits)
        assert found == [share_interval(7 * happy, 140)]


def test_the_interval_of_a_share_ends_at_0_and_1() -> None:
    rare = np.asarray([[9.0, 31], [0, 40], [0, 40], [0, 40], [0, 40]])
    first, last = shares_over_days(rare, np.full(5, 40.0))
    assert (first.low, last.high) == (0.0, 1.0)
    assert first.value == pytest.approx(9 / 200)
    assert first.high == pytest.approx(1 - last.low)


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_of_a_difference_holds(paired: bool) -> None:
    dice = np.random.default_rng(5)
    hits = 0
    for _ in range(REPEATS):
        common = dice.normal(0, 8, 21)
        sides = []
        for number, level in enumerate((25.0, 20.0)):
            noise = common if paired else dice.normal(0, 8, 21)
            counts = dice.poisson(60, 21) + 1.0
            totals = counts * (level + noise) + dice.normal(0, 40, 21) * np.sqrt(counts)
            blocks = np.arange(21) + (0 if paired else 100 * number)
            sides.append(Side(blocks, np.zeros(21, np.int64), totals, counts))
        found = difference(*sides)
        assert found
        hits += found.low <= 5.0 <= found.high
    assert 0.93 <= hits / REPEATS <= 0.97


def test_the_interval_of_a_matched_difference_holds_where_weekdays_differ() -> None:
    dice = np.random.default_rng(8)
    rates = dice.uniform(5, 60, 7)
    hits, errors, plain_errors = 0, [], []
    for _ in range(REPEATS):
        sides = []
        # Side A is two weeks without most of its weekends; side B is eight full weeks.
        for first, days, factor in (
            (0, [d for d in range(14) if d % 7 < 5 or d == 5], 1.2),
            (100, range(56), 1.0),
        ):
            numbers = np.asarray(list(days))
            level = dice.lognormal(0, 0.1, len(numbers))
            visits = dice.poisson(10 * factor * rates[numbers % 7] * level).astype(float)
            sides.append(Side(numbers + first * 7, numbers % 7 * 24, visits, np.full(len(numbers), 10.0)))
        found = difference(*sides)
        assert found
        weight = np.bincount(sides[0].cells // 24, minlength=7) / len(sides[0].cells)
        truth = 0.2 * float((weight * rates).sum()) * float(np.exp(0.1**2 / 2))
        hits += found.low <= truth <= found.high
        plain = difference(*(Side(s.blocks, s.cells * 0, s.above, s.below) for s in sides))
        assert plain
        errors.append(found.value - truth)
        plain_errors.append(plain.value - truth)
    assert 0.93 <= hits / REPEATS <= 0.97
    assert abs(np.mean(plain_errors)) > 5 * abs(np.mean(errors)), "without matching, weekdays mislead"


def test_a_comparison_of_few_days_has_no_interval() -> None:
    one = Side(np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1), np.ones(1))
    found = difference(one, one)
    assert found
    assert (found.value, found.p) == (0.0, 1.0)
    assert np.isinf(found.low)
    assert difference(one, Side(one.blocks, one.cells + 1, one.above, one.below)) is None


def test_days_without_a_denominator_are_no_blocks() -> None:
    """Two days with data and five without are two days, from which too little follows."""
    days, cells = np.arange(7), np.zeros(7, np.int64)
    counts = np.asarray([100.0, 100, 0, 0, 0, 0, 0])
    a = Side(days, cells, np.asarray([60.0, 55, 0, 0, 0, 0, 0]), counts)
    b = Side(days - 7, cells, np.full(7, 50.0) + days % 2, np.full(7, 100.0))
    assert restrict(a, b)[0].blocks.tolist() == [0, 1]
    of_two = Side(days[:2], cells[:2], a.above[:2], a.below[:2])
    assert difference(a, b) == difference(of_two, b)


def test_sides_are_restricted_to_the_cells_that_both_have() -> None:
    ones = np.ones(3)
    a = Side(np.arange(3), np.asarray([1, 2, 3]), ones, np.asarray([1.0, 1, 0]))
    b = Side(np.arange(3), np.asarray([2, 3, 4]), ones, ones)
    left, right = restrict(a, b)
    assert (left.cells.tolist(), right.cells.tolist()) == ([2], [2])


@pytest.mark.parametrize("df", [1, 2, 3.5, 6, 20, 200, 1e5])
def test_student_equals_scipy(df: float) -> None:
    assert t95(df) == pytest.approx(float(stats.t.ppf(0.975, df)), rel=1e-6)
    for t in (0.0, 0.3, 1.5, 4.0, 30.0):
        assert two_sided_p(t, df) == pytest.approx(2 * float(stats.t.sf(t, df)), rel=1e-6, abs=1e-14)


def test_holm_adjusts_for_the_number_of_comparisons() -> None:
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([]) == []
    assert adjust_holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_median_of_a_histogram_is_within_its_bin() -> None:
    dice = np.random.default_rng(3)
    edges = np.asarray(DWELL_EDGES_S, float)
    hits = 0
    for _ in range(400):
        values = dice.lognormal(1.8, 0.9, 300)
        found = median_over_days(histogram(values, edges)[None], edges)
        assert found.value == pytest.approx(np.median(values), rel=0.2)
        hits += found.low <= np.exp(1.8) <= found.high
    assert hits / 400 > 0.9


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("value", [0.5, 5.0, 7.9, 10.0, 20.0, 30.0, 200.0])
def test_the_interval_of_a_median_contains_values_that_are_all_equal(value: float, days: int) -> None:
    edges = np.asarray(DWELL_EDGES_S, float)
    bins = np.stack([histogram(np.full(200, value), edges)] * days)
    found = median_over_days(bins, edges)
    assert found.low <= value <= found.high
    assert found.low <= found.value <= found.high
    assert {found.low, found.high} <= {0.0, *edges}


def test_the_interval_of_a_median_over_days_holds() -> None:
    dice = np.random.default_rng(6)
    # Narrow bins, since the interval is widened to their edges.
    edges = np.arange(0.05, 100, 0.05)
    hits, naive = 0, 0
    for _ in range(400):
        days = [histogram(dice.lognormal(1.8 + dice.normal(0, 0.2), 0.9, 100), edges) for _ in range(14)]
        together = np.sum(days, axis=0)[None]
        found, independent = (median_over_days(each, edges) for each in (np.asarray(days), together))
        hits += found.low <= np.exp(1.8) <= found.high
        naive += independent.low <= np.exp(1.8) <= independent.high
    assert hits / 400 > 0.9
    assert naive / 400 < 0.8, "visits as independent values give intervals that are too narrow"


def histogram(values: Array, edges: Array) -> Array:
    return np.histogram(values, np.concatenate([[0], edges, [np.inf]]))[0].astype(float)
