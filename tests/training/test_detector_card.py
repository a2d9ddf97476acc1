"""The tables of the detector's figures: what few photographs can say."""

from __future__ import annotations

import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

from mien.cli.train.detector import _figures_table
from training.detector.card import curve_table
from training.detector.judging import allowed_wrong


def test_few_photographs_allow_no_false_face_or_one() -> None:
    assert [allowed_wrong(116, each) for each in (1, 10, 100)] == [0, 1, 11]
    assert [allowed_wrong(267, each) for each in (1, 10, 100)] == [0, 2, 26]


def test_the_table_has_no_interval_where_one_photograph_decides() -> None:
    share = {"value": 0.5, "low": 0.4, "high": 0.6}
    curve = {
        "faces": 7,
        "average_precision": share,
        "recall_at_false_per_1000_goods": dict.fromkeys(("1", "10", "100"), share),
    }
    parts = {"validation": {"goods": 116, "running": curve}, "test": {"goods": 267, "running": curve}}
    head, _, validation, test = curve_table({"float32": parts}, "running").splitlines()
    assert "| recall % at 100 | at 10 | at 1 | false faces allowed |" in head
    interval = "50.0 (40.0-60.0)"
    assert validation.endswith(f"| 7 | {interval} | {interval} | 50.0 | 50.0 | 11 / 1 / 0 |")
    assert test.endswith(f"| 7 | {interval} | {interval} | {interval} | 50.0 | 26 / 2 / 0 |")


def test_the_command_shows_no_such_interval_either() -> None:
    share = {"value": 0.5, "low": 0.4, "high": 0.6}
    curve = {
        "longest_side": 320,
        "average_precision": share,
        "recall_at_false_per_1000_goods": dict.fromkeys(("10", "100"), share),
    }
    figures = {"part": "validation", "scenes": 9, "goods": 116, "compared": curve, "running": curve}
    names, values, intervals = (list(column.cells) for column in _figures_table(figures).columns)
    assert names[1:3] == [
        "recall at 320 pixels, 10 false in 1000 of goods: 1 here",
        "recall at 320 pixels, 100 false in 1000 of goods: 11 here",
    ]
    assert values[1:3] == ["50.0%", "50.0%"]
    assert intervals[1:3] == ["", "40.0% - 60.0%"]
