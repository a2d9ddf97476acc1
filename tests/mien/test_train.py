"""`mien train`: errors that a user can fix are one line, with exit code 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.model_file import shipped
from mien.cli.train.app import app
from tests.support.training_data import write_data
from tests.support.training_runs import fit_eagerly, running_eagerly
from training.classifier.recipes import recipe


def refused(*arguments: object) -> str:
    """The one line on standard error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_fit_lists_the_known_architectures(tmp_path: Path) -> None:
    line = refused("fit", "--data", tmp_path, "--out", tmp_path / "run", "--arch", "resnet")
    assert line.startswith("error: architecture 'resnet' is unknown; known: mien, residual, lite0, ")
    assert not (tmp_path / "run").exists()


def test_fit_names_the_folder_without_data(tmp_path: Path) -> None:
    line = refused("fit", "--data", tmp_path, "--out", tmp_path / "run", "--cache", tmp_path / "cache")
    assert f"{tmp_path}: no folder fer2013 or datasets/fer2013 in it; pass --data DIR" in line
    assert not (tmp_path / "run").exists()


def test_evaluate_names_the_damaged_row(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", faces=28, people=12)
    table = data / "fer2013" / "fer2013.csv"
    table.write_text(table.read_text().replace("\n1,", "\n9,", 1))
    line = refused("evaluate", shipped("faces"), "--data", data, "--cache", tmp_path / "cache")
    assert line == "error: fer2013.csv row 3 column emotion: '9', expected a whole number from 0 to 6\n"


@pytest.mark.parametrize("command", ["export", "publish"])
def test_a_folder_that_is_not_a_run_is_named(tmp_path: Path, command: str) -> None:
    data = ["--data", tmp_path] if command == "export" else []
    assert str(tmp_path) in refused(command, tmp_path, *data)


def test_report_names_the_missing_page(tmp_path: Path) -> None:
    assert "No such file or directory" in refused("report", "--page", tmp_path / "none.md")


def test_a_network_of_clips_can_be_evaluated(tmp_path: Path) -> None:
    data, cache = write_data(tmp_path / "data"), tmp_path / "cache"
    config = replace(recipe("paper_lstm"), task="emotion", epochs=1, expression_batch=7)
    path = fit_eagerly(config, data, tmp_path / "run", cache)
    with running_eagerly():
        result = CliRunner().invoke(app, ["evaluate", str(path), "--data", str(data), "--cache", str(cache)])
    assert result.exit_code == 0, result.output
    assert "ferplus_strict" in result.stdout
    assert "moved boxes" not in result.stdout
