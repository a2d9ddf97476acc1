from __future__ import annotations

import itertools
import random

import pytest

from storage.suppression import hidden, separable


@pytest.mark.parametrize(
    ("counts", "hide"),
    [
        ([], set()),
        ([0, 0, 12], set()),
        ([10, 11, 12], set()),
        ([30, 9, 30, 40], {0, 1}),
        ([30, 40, 3], {1, 2}),
        ([40, 3, 4, 40], {1, 2, 3}),
        ([40, 6, 7, 40], {1, 2}),
        ([0, 3, 0, 0, 40], {1, 4}),
        ([0, 3, 0], {1}),
        ([1, 1, 1], {0, 1, 2}),
    ],
)
def test_small_groups_are_hidden_and_cannot_be_had_by_subtraction(counts: list[int], hide: set[int]) -> None:
    assert hidden(counts, 10) == hide


def test_k_of_one_hides_nothing() -> None:
    assert hidden([1, 2, 0, 1], 1) == frozenset()


def test_a_group_that_must_be_hidden_takes_another_with_it() -> None:
    assert hidden([20, 30, 40], 10, besides=[1]) == {0, 1}


def test_what_is_left_of_the_total_is_nothing_or_enough() -> None:
    dice = random.Random(3)
    for _ in range(500):
        counts = [dice.choice([0, 1, 5, 9, 10, 25]) for _ in range(dice.randrange(8))]
        hide = hidden(counts, 10)
        left = [counts[index] for index in hide]
        everybody = all(index in hide for index, count in enumerate(counts) if count)
        assert not hide or everybody or (sum(left) >= 10 and len(left) >= 2)
        assert all(count == 0 or count >= 10 for index, count in enumerate(counts) if index not in hide)


def test_no_difference_of_two_choices_of_cameras_tells_of_a_few() -> None:
    dice = random.Random(5)
    for _ in range(100):
        counts = {name: dice.choice([0, 2, 7, 10, 30]) for name in "abcd"}
        choices = [set(c) for size in range(1, 5) for c in itertools.combinations("abcd", size)]
        sums = [
            (choice, sum(counts[name] for name in choice))
            for choice in choices
            if separable(counts, choice, 10)
        ]
        shown = [(choice, n) for choice, n in sums if n >= 10]
        for (one, n), (other, m) in itertools.combinations(shown, 2):
            if other < one:
                assert n - m == 0 or n - m >= 10, (counts, one, other)


def test_a_choice_that_would_give_a_small_camera_away_is_not_separable() -> None:
    counts = {"door": 50, "till": 40, "store": 3}
    assert separable(counts, {"door", "till", "store"}, 10)
    assert separable(counts, {"door"}, 10)
    assert not separable(counts, {"door", "till"}, 10), "all minus these is the store's 3"
    assert not separable(counts, {"till"}, 10), "hidden with the store, whose complement it is"
    assert separable(counts, {"till", "store"}, 10)
