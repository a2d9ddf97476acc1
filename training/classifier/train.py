"""Train a face classifier: expressions from FER2013 and FER+, perceived gender from FairFace.

Read `fit` from top to bottom; `training.runs.folder` keeps what it leaves behind.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from training.classifier.ahead import Ahead
from training.classifier.architectures import architecture
from training.classifier.batches import (
    Batches,
    Source,
    expression_source,
    expressions,
    gender_source,
    genders,
    validation,
)
from training.classifier.inputs import fairface_pictures, fer_pictures
from training.classifier.losses import Targets, losses, metrics
from training.classifier.network import network
from training.classifier.recipes import Config
from training.classifier.teachers import attended, shares
from training.classifier.validation import load_keras
from training.data import datasets
from training.data.datasets import HEADS
from training.data.importers import load_fairface, load_fer2013
from training.errors import RunError
from training.runs.backend import AT_ONCE
from training.runs.folder import CHECKPOINT, MODEL_FILE, Row, open_run, spent, write_history
from training.runs.progress import Bar, by_head, draw_curves
from training.runs.schedule import Annealing

SECONDS_TO_LOSE = 20.0
"""An accelerator's epochs take less time than their checkpoints: what is younger than this may be lost."""


class Checkpoint(keras.callbacks.Callback):
    """Now and then, and at the end: the weights with the optimizer's state, the history and its curves."""

    def __init__(self, run: Path, history: list[Row], heads: Sequence[str]) -> None:
        super().__init__()
        self._run, self._history, self._heads = run, history, heads
        self._started = self._written = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Add a row to the history, and write everything if there is something to lose.

        A run that is cut off goes on after the last epoch that was written.
        """
        values = {name: round(float(value), 5) for name, value in sorted(by_head(logs, self._heads).items())}
        now = time.monotonic()
        self._history.append({"epoch": epoch + 1, "seconds": round(now - self._started, 1)} | values)
        self._started = now
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if last or now - self._written > SECONDS_TO_LOSE:
            self._write()
            self._written = time.monotonic()

    def _write(self) -> None:
        partial = self._run / "partial.weights.h5"
        self.model.save_weights(partial)
        partial.replace(self._run / CHECKPOINT)
        write_history(self._run, self._history)
        draw_curves(self._run, self._history, self._heads)


def fit(
    config: Config,
    data: Path,
    run: Path,
    cache: Path,
    resume: bool,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    workers: int = 0,
) -> Path:
    """Train one network and return its HDF5 file; `callbacks` see each epoch after everything else.

    So many `workers`, processes, make its batches; 0: a thread. The batches are the same. Raises
    DatasetError, UnknownArchitecture, or RunError for a run folder that is in use or was made with another
    configuration.
    """
    keras.utils.set_random_seed(config.seed)
    learnt, known = load(config, data, cache)
    taught = shares(config)
    history = open_run(run, config, resume)
    batches = Batches(learnt, config, epoch=len(history))
    with prepared(batches, len(history), workers) as steps:
        student = network(config, config.precision)
        if config.trunk is not None:
            borrow(student, Path(config.trunk), config)
        model = attended(student, config, taught)
        compile_model(model, config, taught, math.gcd(len(batches), AT_ONCE))
        if history:
            model.load_weights(run / CHECKPOINT)
        model.fit(
            steps,
            # They are shuffled as they are made.
            shuffle=False,
            steps_per_epoch=len(batches) if workers else None,
            epochs=config.epochs,
            initial_epoch=len(history),
            validation_data=known,
            validation_batch_size=512,
            callbacks=[
                Annealing(
                    config.learning_rate,
                    config.epochs * len(batches),
                    config.minutes,
                    config.warmup,
                    len(history) * len(batches),
                    spent(history),
                ),
                keras.callbacks.SwapEMAWeights(),
                keras.callbacks.TerminateOnNaN(),
                Checkpoint(run, history, config.heads),
                Bar(config.heads, Console()),
                *callbacks,
            ],
            verbose=0,
        )
    final = network(config, "float32")
    final.set_weights(student.get_weights())
    final.save(run / MODEL_FILE)
    return run / MODEL_FILE


@contextmanager
def prepared(batches: Batches, epochs: int, workers: int) -> Iterator[Any]:
    """The batches after so many epochs, made by a thread, or ahead of time by so many processes."""
    if not workers:
        yield batches
        return
    with Ahead(batches.at, epochs * len(batches), workers) as ahead:
        yield iter(ahead)


def borrow(model: keras.Model, run: Path, config: Config) -> None:
    """Give a network the weights of another run's layers of the same names, except those of its heads.

    Where the trunk is to be frozen they stay as they are. Raises RunError for a run without a model, or one
    that has no layer in common.
    """
    lent = {layer.name: layer for layer in load_keras(run / MODEL_FILE).layers if layer.name not in HEADS}
    taken = [layer for layer in model.layers if layer.name in lent and layer.weights]
    if not taken:
        raise RunError(f"{run}: its network has no layer in common with {config.arch}")
    for layer in taken:
        layer.set_weights(lent[layer.name].get_weights())
        layer.trainable = not config.frozen


def load(
    config: Config, data: Path, cache: Path
) -> tuple[list[Source], tuple[NDArray[np.float32], Targets, Targets]]:
    """What is trained on, and the validation batch: PublicTest and FairFace's held-out slice.

    A data set that no head learns from is not read.
    """
    network, learnt, known = architecture(config.arch), [], []
    if "expression" in config.heads:
        faces = load_fer2013(data, cache)
        learnt.append(expression_source(datasets.unseen(faces), config))
        public = faces.part("PublicTest")
        known.append((fer_pictures(public, network.size, network.frames), expressions(public)))
    if "gender" in config.heads:
        people = load_fairface(data, cache, "train")
        fresh = datasets.unseen_people(people, load_fairface(data, cache, "val"))
        learnt.append(gender_source(fresh, config))
        others = people.rows(people.held_out())
        known.append((fairface_pictures(others, network.size, network.frames), genders(others)))
    return learnt, validation(known, config)


def compile_model(model: keras.Model, config: Config, taught: Mapping[str, float], at_once: int = 1) -> None:
    """Give a network its losses, and an optimizer, with its state, that averages its weights exponentially.

    Of each loss, the labels have what is not `taught`. So many steps are done at once: callbacks see the last
    of them.
    """
    model.compile(
        optimizer(config),
        loss=losses(config.heads),
        loss_weights={
            head: (1 - taught[head]) * (config.gender_weight if head == "gender" else 1.0)
            for head in config.heads
        },
        weighted_metrics=metrics(config.heads),
        steps_per_execution=at_once,
    )
    # A checkpoint is loaded into this state, and a step that need not make it is traced sooner.
    model.optimizer.build(model.trainable_variables)


def optimizer(config: Config) -> keras.optimizers.Optimizer:
    """AdamW or stochastic gradient descent, as configured, with exponentially averaged weights."""
    common: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "use_ema": True,
        "ema_momentum": config.ema,
    }
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(momentum=0.9, nesterov=True, **common)
    return keras.optimizers.AdamW(**common)
