"""Averaged weights: a run ends with them, whatever ends it, and continues with the trained ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow", reason="needs the extra train")

import keras

from tests.support.detector_data import write_photographs
from tests.support.training_runs import tiny, tiny_detector
from training.classifier import train as classifier
from training.classifier.validation import load_keras
from training.detector import train as detector
from training.runs import averaging
from training.runs.averaging import AdamW, kept_share
from training.runs.run_folder import read_history
from training.runs.schedule import Annealing

pytestmark = [pytest.mark.usefixtures("eagerly"), pytest.mark.timeout(600)]

DETECTOR = tiny_detector(batch=1, samples=10_000, samples_per_round=3, warmup=0.0, ema=0.5)
CLASSIFIER = replace(tiny("paper_logreg"), epochs=1000, expression_batch=14, warmup=0.0, ema=0.5)
ROUND = 3
"""Steps of a round of both."""

Weights = list[NDArray[np.float32]]
Fit = Callable[[Path, bool], Weights]
"""Trains in a folder, new or resumed, and returns the trained weights of the model file."""
Watch = Callable[[Callable[[int, keras.Model], None]], None]


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(params=["detector", "classifier"])
def fit(
    request: pytest.FixtureRequest,
    photographs: Path,
    data: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Fit:
    monkeypatch.setattr(classifier, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(averaging, "STEPS_PER_SPAN", 1)  # Each step but the first keeps half.

    def detect(run: Path, resume: bool) -> Weights:
        path = detector.fit(DETECTOR, photographs, run, resume)
        return trained(keras.models.load_model(path, compile=False))

    def classify(run: Path, resume: bool) -> Weights:
        return trained(load_keras(classifier.fit(CLASSIFIER, data, run, cache, resume)))

    return detect if request.param == "detector" else classify


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Lets a function see every step: its number, counted from 1 across runs, and the model after it."""

    def watch(see: Callable[[int, keras.Model], None]) -> None:
        class Watching(Annealing):
            steps = 0

            def on_train_batch_end(self, batch: int, logs: object = None) -> None:
                super().on_train_batch_end(batch)
                Watching.steps += 1
                see(Watching.steps, self.model)

        for module in (detector, classifier):
            monkeypatch.setattr(module, "Annealing", Watching)

    return watch


def trained(model: keras.Model) -> Weights:
    return [np.array(each) for each in model.trainable_weights]


def average(weights: list[Weights], kept: float) -> Weights:
    found = weights[0]
    for later in weights[1:]:
        found = [kept * old + (1 - kept) * new for old, new in zip(found, later, strict=True)]
    return found


def assert_equal(found: Weights, expected: Weights) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_run_ends_with_the_average_when_its_time_is_up(fit: Fit, at_step: Watch, tmp_path: Path) -> None:
    seen: list[Weights] = []

    def end(step: int, model: keras.Model) -> None:
        seen.append(trained(model))
        model.stop_training = step == ROUND - 1

    at_step(end)
    assert_equal(fit(tmp_path / "run", False), average(seen, 0.5))
    assert len(seen) == ROUND - 1


def test_an_interrupted_run_ends_like_an_uninterrupted_one(fit: Fit, at_step: Watch, tmp_path: Path) -> None:
    """It is interrupted in its second round, and trains that round again when it is resumed."""

    def end(step: int, model: keras.Model) -> None:
        model.stop_training = step in (2 * ROUND, 4 * ROUND + 1)
        if step == 3 * ROUND + 1:
            raise Interrupted

    at_step(end)
    whole = fit(tmp_path / "whole", False)
    with pytest.raises(Interrupted):
        fit(tmp_path / "cut", False)
    assert len(read_history(tmp_path / "cut")) == 1
    assert_equal(fit(tmp_path / "cut", True), whole)


def test_a_run_averages_over_the_last_tenth_of_its_steps_however_early_it_ends() -> None:
    weights, steps, most = keras.Variable([1.0]), 60, 0.8
    optimizer = AdamW(0.1, use_ema=True, ema_momentum=most)
    optimizer.build([weights])
    seen = []
    for _ in range(steps):
        optimizer.apply([keras.ops.ones(1)], [weights])
        seen.append(float(weights.value[0]))
    kept = [float(kept_share(step, most)) for step in range(1, steps + 1)]
    assert kept[:10] == [0.0] * 10, "the weights of before the run and of its first steps are not in it"
    assert kept[19] == pytest.approx(0.5)
    assert kept[49:] == [pytest.approx(most)] * 11
    expected = 0.0
    for share, value in zip(kept, seen, strict=True):
        expected = share * expected + (1 - share) * value
    optimizer.finalize_variable_values([weights])
    assert float(weights.value[0]) == pytest.approx(expected, rel=1e-5)
