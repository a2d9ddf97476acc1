"""Train a face classifier: expressions from FER2013 and FER+, perceived gender from FairFace.

Read `fit` from top to bottom; `training.runs` keeps what it leaves behind.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from training import datasets
from training.architectures import architecture, build
from training.batches import (
    Batches,
    Source,
    expression_source,
    expressions,
    gender_source,
    genders,
    validation,
)
from training.datasets import HEADS
from training.errors import RunError
from training.importers import load_fairface, load_fer2013
from training.inputs import fairface_pictures, fer_pictures
from training.losses import Targets, losses, metrics
from training.progress import Bar, by_head, draw_curves
from training.recipes import Config
from training.runs import CHECKPOINT, MODEL_FILE, Row, open_run, write_history
from training.schedule import Annealing
from training.teachers import taught
from training.validation import load_keras


class Checkpoint(keras.callbacks.Callback):
    """After each epoch: the weights with the optimizer's state, the history and its curves."""

    def __init__(self, run: Path, history: list[Row], heads: Sequence[str]) -> None:
        super().__init__()
        self._run, self._history, self._heads = run, history, heads
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write them; a run that is cut off goes on after the last epoch that was written."""
        partial = self._run / "partial.weights.h5"
        self.model.save_weights(partial)
        partial.replace(self._run / CHECKPOINT)
        values = {name: round(float(value), 5) for name, value in sorted(by_head(logs, self._heads).items())}
        seconds = round(time.monotonic() - self._started, 1)
        self._started = time.monotonic()
        self._history.append({"epoch": epoch + 1, "seconds": seconds} | values)
        write_history(self._run, self._history)
        draw_curves(self._run, self._history, self._heads)


def fit(
    config: Config,
    data: Path,
    run: Path,
    cache: Path,
    resume: bool,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Path:
    """Train one network and return its HDF5 file; `callbacks` see each epoch after everything else.

    Raises DatasetError, UnknownArchitecture, or RunError for a run folder that is in use or was
    made with another configuration.
    """
    keras.utils.set_random_seed(config.seed)
    learnt, known = load(config, data, cache)
    learnt = taught(learnt, config)
    history = open_run(run, config, resume)
    batches = Batches(learnt, config, epoch=len(history))
    model = build_in(config.precision, config)
    if config.trunk is not None:
        borrow(model, Path(config.trunk), config)
    compile_model(model, config)
    if history:
        # Its state must be there to be loaded.
        model.optimizer.build(model.trainable_variables)
        model.load_weights(run / CHECKPOINT)
    model.fit(
        batches,
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
                sum(row["seconds"] for row in history),
            ),
            keras.callbacks.SwapEMAWeights(),
            keras.callbacks.TerminateOnNaN(),
            Checkpoint(run, history, config.heads),
            Bar(config.heads, Console()),
            *callbacks,
        ],
        verbose=0,
    )
    final = build_in("float32", config)
    final.set_weights(model.get_weights())
    final.save(run / MODEL_FILE)
    return run / MODEL_FILE


def build_in(precision: str, config: Config) -> keras.Model:
    """A new network whose layers compute in the given precision; its weights are float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return build(config.arch, config.widths, config.dropout)
    finally:
        keras.config.set_dtype_policy(before)


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


def compile_model(model: keras.Model, config: Config) -> None:
    """Give a network its losses, and AdamW with exponentially averaged weights."""
    model.compile(
        keras.optimizers.AdamW(
            config.learning_rate, weight_decay=config.weight_decay, use_ema=True, ema_momentum=config.ema
        ),
        loss=losses(config.heads),
        loss_weights={head: config.gender_weight if head == "gender" else 1.0 for head in config.heads},
        weighted_metrics=metrics(config.heads),
    )
