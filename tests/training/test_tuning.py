"""A search of the recipe's numbers: real short runs on made data."""

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
from training.classifier.recipes import recipe
from training.classifier.tuning import RANGES, RESULTS_FILE, Watch, accuracy, search
from training.errors import RunError
from training.pages.tuning import PICTURE_FILE
from training.runs.folder import as_stored, read_config, read_history

BASE = replace(recipe("paper_logreg"), task="gender", epochs=2, gender_batch=8)


class PulledThePlug(Exception):
    pass


def test_a_search_that_was_cut_off_ends_as_if_it_had_not_been(
    data: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    whole = search(BASE, 2, data, tmp_path / "whole", cache, resume=False)
    assert "optuna" not in "".join(capfd.readouterr()).lower()
    cut, on_epoch_end = tmp_path / "cut", Watch.on_epoch_end
    monkeypatch.setattr(train, "SECONDS_TO_LOSE", 0.0)

    def pull_the_plug(watch: Watch, epoch: int, logs: dict[str, float]) -> None:
        if (cut / "001").exists():
            raise PulledThePlug
        on_epoch_end(watch, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "on_epoch_end", pull_the_plug)
        with pytest.raises(PulledThePlug):
            search(BASE, 2, data, cut, cache, resume=False)
    assert len(read_history(cut / "001")) == 1
    with pytest.raises(RunError, match="holds a search already; pass --resume"):
        search(BASE, 2, data, cut, cache, resume=False)
    with pytest.raises(RunError, match="resume with the same options"):
        search(replace(BASE, epochs=3), 2, data, cut, cache, resume=True)
    again = search(BASE, 2, data, cut, cache, resume=True)

    assert {path.name for path in cut.iterdir() if path.is_dir()} == {"000", "001"}
    assert [len(each.curve) for each in again] == [2, 2]
    (first, second), (_, drawn) = (
        [each.config for each in sorted(tried, key=lambda each: each.number)] for tried in (again, whole)
    )
    assert first == BASE, "the recipe is tried as it is"
    assert second == drawn == read_config(cut / "001")
    for name, (least, most, _) in RANGES.items():
        assert least <= getattr(drawn, name) <= most
        assert getattr(drawn, name) != getattr(BASE, name)
    assert whole[0].accuracy >= whole[1].accuracy

    kept = json.loads((cut / RESULTS_FILE).read_text())
    for each, told in zip(sorted(again, key=lambda each: each.number), kept, strict=True):
        assert told["curve"] == list(each.curve)
        curve = [accuracy(row, BASE) for row in read_history(cut / f"{bool(each.number):03}")]
        assert list(each.curve) == pytest.approx(curve, abs=1e-4)


def test_a_run_that_lags_behind_is_given_up() -> None:
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(1))
    ended = study.ask()
    for epoch in range(3):
        ended.report(0.8, epoch)
    study.tell(ended, 0.8)
    for epoch, right, given_up in ((0, 0.9, False), (1, 0.5, True), (2, 0.5, False)):
        watch, model = Watch(study.ask(), replace(BASE, epochs=3)), keras.Sequential()
        model.stop_training = False
        watch.set_model(model)
        measures = ("accuracy", "crossentropy", "val_crossentropy")
        watch.on_epoch_end(epoch, {"val_accuracy": right, **dict.fromkeys(measures, 0.7)})
        assert watch.pruned == model.stop_training == given_up, "what is at its end need not be given up"


def test_the_command_prints_what_fit_takes(data: Path, cache: Path, tmp_path: Path) -> None:
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
