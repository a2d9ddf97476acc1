"""Exclusion masks: what is accepted, and what is refused with which words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from common.masks import MaskError, covered_share, format_masks, make_masks, parse_masks
from storage.tables import MASKS_LENGTH

TRIANGLE = ((0.1, 0.1), (0.9, 0.1), (0.5, 0.8))


def test_a_rectangle_and_a_polygon_become_points() -> None:
    masks = make_masks([[0.25, 0.5, 0.5, 0.25], list(map(list, TRIANGLE))])
    assert masks == (((0.25, 0.5), (0.75, 0.5), (0.75, 0.75), (0.25, 0.75)), TRIANGLE)
    assert parse_masks(format_masks(masks)) == masks
    assert covered_share(masks) == pytest.approx(0.125 + 0.28)


def test_no_masks_are_an_empty_text() -> None:
    assert format_masks(()) == ""
    assert parse_masks(" ") == ()


@pytest.mark.parametrize(
    ("regions", "problem"),
    [
        ([[0.1, 0.1, 0.2, 0.2]] * 17, "17 masks: the most are 16"),
        ([[[0, 0], [1, 1]]], "mask 1: 2 different points, expected 3 to 32"),
        ([[[0, 0], [0, 0], [1, 0], [1, 0]]], "2 different points"),
        ([[[math.cos(n), 0.5] for n in range(40)]], "outside of the picture"),
        ([[0.5, 0.5, 0.6, 0.1]], r"the point 1\.1, 0\.5 is outside"),
        ([[0.5, 0.5, 0.0, 0.1]], "2 different points"),
        ([[[0, 0], [0.5, 0.5], [1, 1]]], "has no area"),
        ([[[0, 0], [1, 1], [1, 0], [0, 1], [0.2, 0.4]]], "its sides cross"),
        ([[[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]]], "its sides cross"),
        ([[[0, 0], [1, 0], ["1", 1]]], "expected numbers from 0 to 1"),
        ([[[0, 0], [1, 0], [math.nan, 1]]], "expected numbers from 0 to 1"),
        ([[[0, 0], [1, 0], [True, 1]]], "expected numbers from 0 to 1"),
        ([[[0, 0, 0], [1, 0], [1, 1]]], r"a point is \[x, y\]"),
        (["whole"], "mask 1: expected"),
        ("whole", "masks: expected a list"),
        ({"x": 1}, "masks: expected a list"),
    ],
)
def test_what_is_no_mask_is_refused_with_the_reason(regions: Any, problem: str) -> None:
    with pytest.raises(MaskError, match=problem):
        make_masks(regions)


@pytest.mark.parametrize("text", ["[[0.1", "nonsense", "[" * 100_000])
def test_a_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(MaskError, match="masks: expected JSON"):
        parse_masks(text)


def test_the_longest_masks_fit_into_their_column() -> None:
    angles = [2 * math.pi * number / 25 for number in range(25)]
    circle = [(round(0.5 + 0.4321 * math.cos(a), 4), round(0.5 + 0.4321 * math.sin(a), 4)) for a in angles]
    masks = make_masks([circle] * 4)
    assert len(format_masks(masks)) <= MASKS_LENGTH
    with pytest.raises(MaskError, match="together they have 125 points, the most are 100"):
        make_masks([circle] * 5)
