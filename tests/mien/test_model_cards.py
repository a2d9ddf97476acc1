"""The page shows the figures of the shipped card, with its errors by group and its checksums."""

from __future__ import annotations

from mien.model_cards import read_figures, read_limits, read_model_files


def test_the_card_has_figures_by_group() -> None:
    tables = {table.title: table for table in read_figures()}
    assert len(tables) == 4
    groups = tables["Perceived gender, by race and gender as labelled"]
    assert len(groups.rows) == 14
    assert all(len(row) == len(groups.heads) for row in groups.rows)
    assert float(groups.rows[0][1]) > 50
    assert "anger" in {row[0] for row in tables["By expression, test pictures"].rows}


def test_the_limits_say_what_the_model_does_not_measure_and_must_not_be_used_for() -> None:
    assert "An expression is not a feeling" in read_limits()
    assert "Do not use it to monitor or assess workers" in read_limits()


def test_the_checksums_are_those_of_the_files() -> None:
    files = read_model_files()
    assert {each.name for each in files} >= {"faces.onnx", "detector.onnx"}
    assert all(each.shipped and len(each.sha256) == 64 for each in files)
