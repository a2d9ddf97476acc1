"""Runs of different length: stored figures, table, chart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from training.classifier.recipes import recipe
from training.errors import ReportError, RunError
from training.measure.compute import merge_runs, read_runs
from training.pages.compute_page import compute_table, draw
from training.runs.run_folder import create_run, write_history, write_json


def ran(folder: Path, passes: int, last: float, **changes: object) -> Path:
    """A run folder with a history that ends at an accuracy."""
    create_run(folder, replace(recipe("mien"), **changes))
    rows = [
        {"epoch": float(number), "seconds": 60.0}
        | {f"val_{head}_accuracy": last * number / passes for head in ("fer2013", "expression", "gender")}
        for number in range(1, passes + 1)
    ]
    write_history(folder, rows)
    return folder


def test_runs_are_sorted_by_length_with_their_gain(tmp_path: Path) -> None:
    long = ran(tmp_path / "long", 8, 0.7, teachers=("runs/teacher",))
    short = ran(tmp_path / "short", 2, 0.6)
    runs = merge_runs([long, short], tmp_path / "none.json")
    assert [run["passes"] for run in runs] == [2, 8]
    _, _, first, second = compute_table(runs).splitlines()
    assert first == "| `mien` | 2 | 2 | tensorflow | labels | 60.0 | 60.0 | 60.0 |"
    assert second.startswith("| `mien` | 8 | 8 | tensorflow | labels, and teachers: 1 | 70.0 (+10.0) |")
    *_, third = compute_table(
        [*runs, *merge_runs([ran(tmp_path / "other", 9, 0.8, arch="residual")], tmp_path / "none.json")]
    ).splitlines()
    assert third == "| `residual` | 9 | 9 | tensorflow | labels | 80.0 | 80.0 | 80.0 |"
    draw(runs, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 10_000


def test_stored_runs_are_kept_unless_a_run_has_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "compute.json"
    write_json(
        path, merge_runs([ran(tmp_path / "before" / name, 2, 0.6) for name in ("gone", "again")], path)
    )
    runs = merge_runs([ran(tmp_path / "again", 3, 0.7), ran(tmp_path / "fresh", 4, 0.7)], path)
    assert [(run["run"], run["passes"]) for run in runs] == [("gone", 2), ("again", 3), ("fresh", 4)]


def test_a_run_for_one_task_and_a_page_without_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="was trained for gender; runs for both are compared"):
        merge_runs([ran(tmp_path / "run", 2, 0.6, task="gender")], tmp_path / "none.json")
    with pytest.raises(ReportError, match="no runs yet; run mien train compute"):
        read_runs(tmp_path / "compute.json")
