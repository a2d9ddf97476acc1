"""What a fault did to visits; the page that is committed is of the figures beside it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chaos.report import markdown
from tests.chaos.visits import Comparison, Seen, compare

DOCS = Path(__file__).parents[2] / "docs"


def test_a_visit_that_is_whole_is_not_split() -> None:
    visits = [Seen("till", 0, 10), Seen("till", 5, 20), Seen("shelf", 0, 10)]
    assert compare(visits, visits) == Comparison(3, 3, 0, 0)


def test_parts_belong_to_the_visit_whose_end_they_share() -> None:
    whole = [Seen("till", 0, 20), Seen("till", 2, 15)]
    parts = [Seen("till", 0, 8), Seen("till", 2, 8), Seen("till", 11, 15), Seen("till", 11, 20)]
    assert compare(whole, parts) == Comparison(2, 4, split=2, missed=0)


def test_visits_that_begin_or_end_together_are_told_apart() -> None:
    whole = [Seen("till", 0, 20), Seen("till", 0, 12), Seen("till", 6, 20), Seen("till", 6, 20)]
    assert compare(whole, whole) == Comparison(4, 4, split=0, missed=0)
    assert compare(whole, [*whole[1:], Seen("till", 0, 9), Seen("till", 15, 20)]).missed == 0


def test_a_visit_that_fell_into_the_fault_is_missed_and_none_is_taken_from_another_camera() -> None:
    whole = [Seen("till", 0, 8), Seen("till", 10, 20)]
    assert compare(whole, [Seen("till", 12, 20), Seen("shelf", 0, 8)]) == Comparison(2, 2, 0, 1)


def test_the_page_is_of_the_figures_beside_it_and_nothing_was_lost() -> None:
    figures = json.loads((DOCS / "reliability.json").read_text())
    assert (DOCS / "reliability.md").read_text() == markdown(figures), "run `make chaos`"
    rows = [row for row in figures["scenarios"].values() if "skipped" not in row]
    assert rows
    assert all(row["lost"] == row["doubled"] == 0 == len(row["violations"]) for row in rows)
