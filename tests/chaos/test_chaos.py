"""How visits are compared, and that docs/reliability.md agrees with its figures."""

from __future__ import annotations

import json
import os

from tests.chaos.report import FIGURES, PAGE, markdown
from tests.chaos.visits import Comparison, VisitTime, compare


def test_equal_visits_are_not_split() -> None:
    visits = [VisitTime("till", 0, 10), VisitTime("till", 5, 20), VisitTime("shelf", 0, 10)]
    assert compare(visits, visits) == Comparison(3, 3, 0, 0)


def test_a_part_belongs_to_the_visit_with_the_same_start_or_end() -> None:
    visits = [VisitTime("till", 0, 20), VisitTime("till", 2, 15)]
    parts = [
        VisitTime("till", 0, 8),
        VisitTime("till", 2, 8),
        VisitTime("till", 11, 15),
        VisitTime("till", 11, 20),
    ]
    assert compare(visits, parts) == Comparison(2, 4, split=2, missed=0)


def test_visits_with_the_same_start_or_end_are_matched_one_to_one() -> None:
    visits = [
        VisitTime("till", 0, 20),
        VisitTime("till", 0, 12),
        VisitTime("till", 6, 20),
        VisitTime("till", 6, 20),
    ]
    assert compare(visits, visits) == Comparison(4, 4, split=0, missed=0)
    assert compare(visits, [*visits[1:], VisitTime("till", 0, 9), VisitTime("till", 15, 20)]).missed == 0


def test_a_visit_without_parts_is_missed_and_cameras_do_not_mix() -> None:
    visits = [VisitTime("till", 0, 8), VisitTime("till", 10, 20)]
    assert compare(visits, [VisitTime("till", 12, 20), VisitTime("shelf", 0, 8)]) == Comparison(2, 2, 0, 1)


def test_the_reliability_page_agrees_with_its_figures_and_nothing_was_lost() -> None:
    figures = json.loads(FIGURES.read_text())
    expected = markdown(figures, os.path.relpath(FIGURES, PAGE.parent))
    assert PAGE.read_text() == expected, "run `python -m tests.chaos.report`"
    rows = [row for row in figures["scenarios"].values() if "skipped" not in row]
    assert rows
    assert all(row["lost"] == row["doubled"] == 0 == len(row["violations"]) for row in rows)
