"""Hyper-parameter search: real short runs on synthetic data."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import keras
import optuna
import pytest
from typer.testing import CliRunner

from mien.cli.train.app import app
from training.classifier import train
from training.classifier.recipes import read_config, recipe
from training.classifier.tuning import RANGES, RESULTS_FILE, TrialReporter, accuracy, search
from training.errors import RunError
from training.pages.tuning_chart import PICTURE_FILE
from training.runs.run_folder import as_stored, read_history

BASE = replace(recipe("paper_logreg"), task="gender", epochs=2, gender_batch=8)


pytestmark = pytest.mark.usefixtures("eagerly")


class Interrupted(Exception):
    pass


def test_an_interrupted_search_ends_like_an_uninterrupted_one(
    data: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = search(BASE, 3, data, tmp_path / "whole", cache, resume=False)
    assert "optuna" not in "".join(capfd.readouterr()).lower()
    cut, on_epoch_end = tmp_path / "cut", TrialReporter.on_epoch_end
    monkeypatch.setattr(train, "CHECKPOINT_SECONDS", 0.0)

    def interrupt(watch: TrialReporter, epoch: int, logs: dict[str, float]) -> None:
        if (cut / "001").exists():
            raise Interrupted
        on_epoch_end(watch, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(TrialReporter, "on_epoch_end", interrupt)
        with pytest.raises(Interrupted):
            search(BASE, 3, data, cut, cache, resume=False)
    assert len(read_history(cut / "001")) == 1
    with pytest.raises(RunError, match="holds a search already; pass --resume"):
        search(BASE, 3, data, cut, cache, resume=False)
    with pytest.raises(RunError, match="resume with the same options"):
        search(replace(BASE, epochs=3), 3, data, cut, cache, resume=True)
    again = search(BASE, 3, data, cut, cache, resume=True)

    folders = [path.name for path in sorted(cut.iterdir()) if path.is_dir()]
    assert folders[:2] == ["000", "001"]
    assert [len(each.curve) for each in again] == [2, 2, 2]
    resumed, drawn = (
        [each.config for each in sorted(tried, key=lambda each: each.number)] for tried in (again, whole)
    )
    assert resumed[0] == BASE, "the recipe is the first run"
    assert resumed == drawn == [read_config(cut / name) for name in folders]
    for name, (least, most, _) in RANGES.items():
        assert all(least <= getattr(config, name) <= most for config in drawn)
        assert len({getattr(config, name) for config in drawn}) == 3
    assert whole[0].accuracy >= whole[1].accuracy

    results = json.loads((cut / RESULTS_FILE).read_text())
    for each, stored, name in zip(sorted(again, key=lambda each: each.number), results, folders, strict=True):
        assert stored["curve"] == list(each.curve)
        curve = [accuracy(row, BASE) for row in read_history(cut / name)]
        assert list(each.curve) == pytest.approx(curve, abs=1e-4)


def test_a_run_below_the_median_is_pruned() -> None:
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(1))
    ended = study.ask()
    for epoch in range(3):
        ended.report(0.8, epoch)
    study.tell(ended, 0.8)
    for epoch, right, pruned in ((0, 0.9, False), (1, 0.5, True), (2, 0.5, False)):
        watch, model = TrialReporter(study.ask(), replace(BASE, epochs=3)), keras.Sequential()
        model.stop_training = False
        watch.set_model(model)
        measures = ("accuracy", "crossentropy", "val_crossentropy")
        watch.on_epoch_end(epoch, {"val_accuracy": right, **dict.fromkeys(measures, 0.7)})
        assert watch.pruned == model.stop_training == pruned, "a complete run is not pruned"


def test_the_command_prints_the_options_of_fit(data: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "search"
    given = ["--data", str(data), "--cache", str(cache)]
    options = ["--arch", "paper_logreg", "--task", "gender", "--trials", "2", "--epochs", "1"]
    result = CliRunner().invoke(app, ["tune", *options, "--out", str(out), *given])
    assert result.exit_code == 0, result.output
    assert (out / PICTURE_FILE).stat().st_size > 10_000
    (line,) = re.findall(r"^mien train (fit .*)$", result.output, re.MULTILINE)
    command = [*shlex.split(line), "--epochs", "1", "--out", str(tmp_path / "run"), *given]
    assert CliRunner().invoke(app, command).exit_code == 0
    best = max(json.loads((out / RESULTS_FILE).read_text()), key=lambda each: each["curve"][-1])
    assert as_stored(read_config(tmp_path / "run")) == best["config"]
