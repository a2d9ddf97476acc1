"""`mien train detector`: what it can do, and what it says where it cannot."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inference.model_file import MODELS
from mien.cli.app import app
from tests.support.detector_data import write_people, write_photographs
from tests.support.teacher_file import write_teacher

pytest.importorskip("tensorflow", reason="needs the extra train")

from training.detector.train import DetectorConfig
from training.runs.run_folder import create_run, write_history


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", "detector", *(str(argument) for argument in arguments)])


def refused(*arguments: object) -> str:
    """The one line on standard error."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_evaluate_writes_its_figures(tmp_path: Path) -> None:
    data, figures = write_photographs(tmp_path / "data"), tmp_path / "figures.json"
    result = run("evaluate", MODELS / "detector.onnx", "--data", data, "--json", figures)
    assert result.exit_code == 0, result.output
    assert "average precision at 320 pixels" in result.stdout
    assert '"recall_at_false_per_1000_goods"' in figures.read_text()


def test_people_writes_its_figures(tmp_path: Path) -> None:
    data, figures = write_photographs(tmp_path / "data"), tmp_path / "figures.json"
    write_people(data / "fairface")
    result = run("people", "--data", data, "--json", figures, "--cache", tmp_path / "cache")
    assert result.exit_code == 0, result.output
    assert "| head | towards the camera | 3 |" in result.stdout
    assert '"perceived gender"' in figures.read_text()


def test_evaluate_refuses_a_classifier(tmp_path: Path) -> None:
    line = refused("evaluate", MODELS / "faces.onnx", "--data", tmp_path)
    assert "metadata field 'task' is 'classifier', expected detector" in line


def test_fit_names_the_folder_without_photographs(tmp_path: Path) -> None:
    line = refused("fit", "--data", tmp_path, "--out", tmp_path / "run")
    assert f"{tmp_path}: no folder scenes or datasets/scenes in it; pass --data DIR" in line
    assert not (tmp_path / "run").exists()


def test_label_writes_a_table_that_fit_takes(tmp_path: Path) -> None:
    data, table = write_photographs(tmp_path / "data"), tmp_path / "[v2]" / "[/old]" / "labels.csv"
    result = run("label", write_teacher(tmp_path / "teacher.onnx"), "--data", data, "--out", table)
    assert result.exit_code == 0, result.output
    assert f"{len(table.read_text().splitlines()) - 1} places" in " ".join(result.stdout.split())
    assert "[v2]/[/old]/labels.csv" in "".join(result.stdout.split())
    assert table.read_text().startswith("file,score,x,y,w,h")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--teacher", "no such table; `mien train detector label` writes it"),
        ("--start-from", "cannot be read as an ONNX file"),
        ("--photographs", "no such folder"),
    ],
)
def test_fit_names_a_file_that_is_not_there(tmp_path: Path, option: str, message: str) -> None:
    data, no = write_photographs(tmp_path / "data"), tmp_path / "no"
    line = refused("fit", "--data", data, "--out", tmp_path / "run", option, no)
    assert f"{no}: {message}" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["export", "publish"])
def test_a_folder_that_is_no_run_is_named(tmp_path: Path, command: str) -> None:
    data = ["--data", tmp_path] if command == "export" else []
    assert str(tmp_path) in refused(command, tmp_path, *data)


def test_compare_prints_a_row_for_each_run_and_writes_its_figures(tmp_path: Path) -> None:
    data, figures = write_photographs(tmp_path / "data"), tmp_path / "figures.json"
    run_folder = tmp_path / "run"
    create_run(run_folder, DetectorConfig())
    write_history(run_folder, [{"round": 1.0, "seconds": 60.0, "loss": 1.0}])
    shutil.copyfile(MODELS / "detector.int8.onnx", run_folder / "model.int8.onnx")
    result = run("compare", run_folder, "--data", data, "--json", figures)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("| labels alone |") == 2
    assert '"samples": 24000' in figures.read_text()


def test_fit_refuses_filters_that_make_no_network(tmp_path: Path) -> None:
    data = write_photographs(tmp_path / "data")
    line = refused("fit", "--widths", 16, 32, 48, 64, 90, "--data", data, "--out", tmp_path / "run")
    assert "expected 5 positive multiples of 16" in line
    assert not (tmp_path / "run").exists()
