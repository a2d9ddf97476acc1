"""`mien train evaluate --pictures` and `mien train explain`: what they write, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import pytest
from typer.testing import CliRunner

from mien.cli.train.app import app
from tests.support.training_data import write_data
from training.classifier.architectures import build
from training.pages.figure_pictures import PICTURES


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"), faces=28)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for gender alone, as it is before any training."""
    path = tmp_path_factory.mktemp("run") / "model.h5"
    keras.utils.set_random_seed(1)
    build("paper_cnn", {"gender": 2}, 0.1).save(path)
    return path


def test_evaluate_writes_figures_and_pictures(data: Path, model: Path, tmp_path: Path) -> None:
    figures, pictures, cache = tmp_path / "figures.json", tmp_path / "pictures", tmp_path / "cache"
    arguments = [
        "evaluate",
        model,
        "--data",
        data,
        "--cache",
        cache,
        "--json",
        figures,
        "--pictures",
        pictures,
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    found = json.loads(figures.read_text())
    assert f"{found['crossentropy']['gender']:.3f}" in result.stdout
    assert {path.stem for path in pictures.iterdir()} == set(PICTURES)


def test_explain_writes_a_sheet(data: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.jpg"
    arguments = ["explain", model, "--data", data, "--out", out, "--count", 2, "--cache", tmp_path / "cache"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--out", "sheet.gif"], "sheet.gif ends with '.gif', expected one of .png, .jpg, .jpeg"),
        (["--out", "sheet.png", "--head", "expression"], "has no head 'expression'; it has gender"),
    ],
)
def test_explain_refuses_in_one_line(data: Path, model: Path, options: list[str], line: str) -> None:
    result = CliRunner().invoke(app, ["explain", str(model), "--data", str(data), *options])
    assert result.exit_code == 2
    assert line in result.stderr
    assert result.stderr.count("\n") == 1
