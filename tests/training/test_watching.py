"""What each run watches: its loss, and the random numbers of its epochs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra train")

import keras

from tests.support.detector_data import write_photographs
from tests.support.training_runs import tiny, tiny_detector
from training.classifier import train as classifier
from training.classifier import tuning
from training.classifier.recipes import Config
from training.detector import train as detector
from training.errors import Diverged
from training.runs.run_folder import CHECKPOINT, MODEL_FILE, read_history
from training.runs.watching import EpochSeeds

pytestmark = pytest.mark.usefixtures("eagerly")


class Diverges(keras.callbacks.Callback):
    """In the second epoch, the weights are no numbers."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        for weight in self.model.trainable_weights if epoch == 1 else ():
            weight.assign(np.full(weight.shape, np.nan))


@pytest.fixture
def _every_epoch_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.usefixtures("_every_epoch_is_stored")
def test_a_diverged_run_keeps_its_last_checkpoint(data: Path, cache: Path, tmp_path: Path) -> None:
    run, config = tmp_path / "run", replace(tiny("paper_logreg"), epochs=3)
    with pytest.raises(Diverged, match="the loss is nan in step 1 of a round; lower --learning-rate"):
        classifier.fit(config, data, run, cache, resume=False, callbacks=[Diverges()])
    assert [row["epoch"] for row in read_history(run)] == [1]
    assert not (run / MODEL_FILE).exists()
    classifier.fit(config, data, run, cache, resume=True)
    assert [row["epoch"] for row in read_history(run)] == [1, 2, 3]
    assert all(np.isfinite(list(row.values())).all() for row in read_history(run))


def test_a_detector_that_diverges_writes_nothing(tmp_path: Path) -> None:
    config = tiny_detector(batch=1, samples=9, samples_per_round=3, warmup=0.0, learning_rate=float("inf"))
    with pytest.raises(Diverged, match="lower --learning-rate"):
        detector.fit(config, write_photographs(tmp_path / "data"), tmp_path / "run")
    assert not (tmp_path / "run" / CHECKPOINT).exists()
    assert not (tmp_path / "run" / detector.MODEL_FILE).exists()


def test_a_search_goes_on_after_a_run_that_diverged(
    data: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge_first(config: Config, data: Path, run: Path, *others: Any, **options: Any) -> Path:
        if run.name == "000":
            raise Diverged("the loss is nan")
        return classifier.fit(config, data, run, *others, **options)

    monkeypatch.setattr(tuning, "fit", diverge_first)
    base = tiny("paper_logreg", task="gender")
    first, second = tuning.search(base, 2, data, tmp_path / "search", cache, resume=False)
    assert (first.number, first.pruned) == (1, False)
    assert (second.number, second.pruned, second.accuracy) == (0, True, 0.0)


def test_random_numbers_depend_on_the_epoch_alone() -> None:
    def drawn(epochs: range) -> list[list[int]]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dense(1)])
        model.build((None, 4))
        seeds, found = EpochSeeds(), []
        seeds.set_model(model)
        seeds.on_train_begin()
        for epoch in epochs:
            seeds.on_epoch_begin(epoch)
            found.append(np.asarray(model.layers[0].seed_generator.state).tolist())
            model(np.ones((2, 4)), training=True)
        return found

    whole = drawn(range(4))
    assert len({tuple(each) for each in whole}) == 4
    assert drawn(range(2, 4)) == whole[2:]
