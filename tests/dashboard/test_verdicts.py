"""Comparisons as a table and in words: what is not known is a dash, and n is that of the figure."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dashboard import comparison_table
from dashboard.formats import NO_VALUE
from dashboard.verdicts import notes, sentence
from storage.figures.comparison import Compared, Comparison, Part, Verdict
from storage.figures.difference import Difference
from storage.figures.measures import DWELL, FEMALE, VISITS, Measure

SIDE = Part(714, 7, 1.0, 0, False)


def compared(measure: Measure, low: float, high: float, verdict: Verdict = Verdict.UNCLEAR) -> Compared:
    difference = Difference(0.5, 0.4, 0.1, low, high, 0.01)
    return Compared(measure, difference, 0.04, verdict, n_a=140, n_b=98)


def comparison(*measures: Compared, a: Part = SIDE, b: Part = SIDE, alike: bool = True) -> Comparison:
    return Comparison(a, b, False, measures, alike=alike)


def cells(each: Compared) -> dict[str, str]:
    row = comparison_table.table(comparison(each)).split("<tr>")[-1]
    return dict(re.findall(r'data-label="([^"]+)"><div>(.*?)</div>', row))


def test_a_difference_without_any_spread_has_no_interval() -> None:
    assert cells(compared(FEMALE, 0.0, 0.0))["95 % interval"] == NO_VALUE
    assert cells(compared(FEMALE, -0.1, 0.3))["95 % interval"] == "−10.0 to +30.0"
    assert cells(compared(FEMALE, -0.1, 0.3, Verdict.TOO_LITTLE))["95 % interval"] == NO_VALUE


def test_n_is_that_of_the_figure() -> None:
    each = compared(FEMALE, 0.02, 0.18, Verdict.UP)
    assert cells(each)["n of A and B"] == "140 and 98"
    assert sentence(each).endswith("n = 98 and 140]]")
    hidden = replace(each, n_a=None)
    assert cells(hidden)["n of A and B"] == f"{NO_VALUE} and 98"
    assert sentence(hidden).endswith(f"n = 98 and {NO_VALUE}]]")
    nothing = Compared(FEMALE, None, 1.0, Verdict.TOO_LITTLE)
    assert set(cells(nothing).values()) >= {NO_VALUE}
    assert cells(nothing)["n of A and B"] == NO_VALUE


@pytest.mark.parametrize(
    ("unmatched", "text"),
    [
        (0, "coverage 100 %<"),
        (350, "350 of the visits at weekdays and hours without visits on the other side"),
        (None, "a few of the visits at weekdays and hours without visits on the other side"),
    ],
)
def test_visits_without_a_counterpart_are_told(unmatched: int | None, text: str) -> None:
    shown = comparison_table.sides(comparison(a=replace(SIDE, unmatched=unmatched)), "event", "baseline")
    assert text in shown
    hidden = replace(SIDE, visits=None, unmatched=None)
    assert "other side" not in comparison_table.sides(comparison(a=hidden), "event", "baseline")


def test_both_coverages_are_named_where_visits_have_no_verdict_for_them() -> None:
    each = compared(VISITS, 0.02, 0.18, Verdict.TOO_LITTLE)
    (note,) = notes(comparison(each, a=replace(SIDE, coverage=0.5), alike=False), {})
    assert note.startswith("No verdict on visits per camera and hour")
    assert "50 %" in note
    assert "100 %" in note
    assert notes(comparison(compared(DWELL, 0.02, 0.18)), {}) == []


def test_cameras_that_are_left_out_are_named() -> None:
    found = replace(comparison(), left_out=("c1", "c2"))
    (note,) = notes(found, {"c1": "Till"})
    assert note.endswith("Till, c2.")
    (note,) = notes(replace(found, comparable=False), {})
    assert "no camera was scheduled on both sides" in note
