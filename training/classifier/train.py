"""Train a face classifier: expressions from FER2013 and FER+, perceived gender from FairFace.

Read `fit` from top to bottom; `training.runs.run_folder` stores its results.
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

from training.classifier.architectures import architecture
from training.classifier.batches import (
    ClassifierBatches,
    TrainingSet,
    expression_targets_by_head,
    expression_training_set,
    gender_targets_by_head,
    gender_training_set,
    validation_batch,
)
from training.classifier.imagenet import load_imagenet
from training.classifier.inputs import fairface_crops, fer2013_crops
from training.classifier.losses import Targets, losses, metrics
from training.classifier.network import build_network
from training.classifier.prefetch import Prefetcher
from training.classifier.recipes import Config
from training.classifier.start import start_from
from training.classifier.teachers import teacher_shares, with_teachers
from training.classifier.validation import load_keras
from training.data import datasets
from training.data.datasets import HEADS
from training.data.importers import load_fairface, load_fer2013, load_utkface
from training.errors import RunError
from training.runs import averaging
from training.runs.backend import STEPS_PER_CALL
from training.runs.progress import ProgressBar, draw_curves, name_by_head
from training.runs.run_folder import (
    CHECKPOINT,
    MODEL_FILE,
    Row,
    completed_epochs,
    create_run,
    replacing,
    spent,
    write_history,
)
from training.runs.schedule import Annealing
from training.runs.watching import EpochSeeds, FiniteLoss

CHECKPOINT_SECONDS = 20.0
"""Least time between checkpoints: on an accelerator an epoch takes less time than its checkpoint."""


class Checkpoint(keras.callbacks.Callback):
    """Checkpoints at intervals and at the end: weights, optimizer state, history and curves."""

    def __init__(self, run: Path, history: list[Row], heads: Sequence[str]) -> None:
        super().__init__()
        self._run, self._history, self._heads = run, history, heads
        self._started = self._written = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Add a row to the history; write a checkpoint at the end or if the last one is old.

        An interrupted run resumes after the last epoch with a checkpoint.
        """
        values = {
            name: round(float(value), 5) for name, value in sorted(name_by_head(logs, self._heads).items())
        }
        now = time.monotonic()
        self._history.append({"epoch": epoch + 1, "seconds": round(now - self._started, 1)} | values)
        self._started = now
        last = self.model.stop_training or epoch + 1 == self.params["epochs"]
        if last or now - self._written > CHECKPOINT_SECONDS:
            self._write()
            self._written = time.monotonic()

    def _write(self) -> None:
        with replacing(self._run / CHECKPOINT) as partial:
            self.model.save_weights(partial)
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
    """Train one network and return its HDF5 file; `callbacks` run after all others.

    Batches come from `workers` processes, or from a thread if 0; the batches are the same. Raises
    DatasetError, UnknownArchitecture, RunError for a run folder that is in use or has another configuration
    and for weights to start from that do not fit, or Diverged.
    """
    keras.utils.set_random_seed(config.seed)
    training_sets, validation = load_training_data(config, data, cache)
    shares = teacher_shares(config)
    history = completed_epochs(run, config, resume)
    batches = ClassifierBatches(training_sets, config, epoch=len(history))
    with open_batches(batches, len(history), workers) as steps:
        student = build_network(config, config.precision)
        if config.imagenet is not None:
            load_imagenet(student, Path(config.imagenet))
        if config.start_from is not None and not history:
            start_from(student, Path(config.start_from), batches[0][0].astype(np.float32))
        if config.trunk is not None:
            borrow_weights(student, Path(config.trunk), config)
        model = with_teachers(student, config, shares)
        compile_model(model, config, shares, math.gcd(len(batches), STEPS_PER_CALL))
        if history:
            model.load_weights(run / CHECKPOINT)
        create_run(run, config)  # Not before: options that cannot be used leave nothing behind.
        model.fit(
            steps,
            # ClassifierBatches shuffles.
            shuffle=False,
            steps_per_epoch=len(batches) if workers else None,
            epochs=config.epochs,
            initial_epoch=len(history),
            validation_data=validation,
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
                FiniteLoss(),
                EpochSeeds(),
                Checkpoint(run, history, config.heads),
                ProgressBar(config.heads, Console()),
                *callbacks,
            ],
            verbose=0,
        )
    final = build_network(config, "float32")
    final.set_weights(student.get_weights())
    with replacing(run / MODEL_FILE) as partial:
        final.save(partial)
    return run / MODEL_FILE


@contextmanager
def open_batches(batches: ClassifierBatches, epochs: int, workers: int) -> Iterator[Any]:
    """The batches that follow `epochs` epochs, from a thread or from `workers` processes."""
    if not workers:
        yield batches
        return
    with Prefetcher(batches.batch_at_step, epochs * len(batches), workers) as prefetcher:
        yield iter(prefetcher)


def borrow_weights(model: keras.Model, run: Path, config: Config) -> None:
    """Copy the weights of another run's layers of the same names, except the heads.

    With `config.frozen` these layers are not trained. Raises RunError for a run without a model, without a
    layer in common, or with a layer of this name and other weights.
    """
    source = {layer.name: layer for layer in load_keras(run / MODEL_FILE).layers if layer.name not in HEADS}
    shared = [layer for layer in model.layers if layer.name in source and layer.weights]
    if not shared:
        raise RunError(f"{run}: its network has no layer in common with {config.arch}")
    for layer in shared:
        weights = source[layer.name].get_weights()
        if [each.shape for each in weights] != [tuple(each.shape) for each in layer.weights]:
            raise RunError(f"{run}: its layer {layer.name} has other weights than that of {config.arch}")
        layer.set_weights(weights)
        layer.trainable = not config.frozen


def load_training_data(
    config: Config, data: Path, cache: Path
) -> tuple[list[TrainingSet], tuple[NDArray[np.float32], Targets, Targets]]:
    """The training sets, and the validation batch: PublicTest and FairFace's held-out slice.

    A data set is read only if a head of the network learns from it.
    """
    network, training_sets, validation = architecture(config.arch), [], []
    if "expression" in config.heads:
        faces = load_fer2013(data, cache)
        training_sets.append(expression_training_set(datasets.untested_faces(faces), config))
        public = faces.part("PublicTest")
        validation.append(
            (fer2013_crops(public, network.size, network.frames), expression_targets_by_head(public))
        )
    if "gender" in config.heads:
        people = load_fairface(data, cache, "train")
        untested = datasets.untested_people(people, load_fairface(data, cache, "val"))
        if config.utkface:
            untested = datasets.join_people(untested, load_utkface(data, cache).people())
        training_sets.append(gender_training_set(untested, config))
        others = people.rows(people.held_out())
        validation.append(
            (fairface_crops(others, network.size, network.frames), gender_targets_by_head(others))
        )
    return training_sets, validation_batch(validation, config)


def compile_model(
    model: keras.Model, config: Config, shares: Mapping[str, float], steps_per_call: int = 1
) -> None:
    """Compile a network with its losses and an optimizer that averages the weights exponentially.

    `shares` is the teachers' share of each head's loss; the labels have the rest. Keras runs `steps_per_call`
    steps in one call; callbacks see the last of these.
    """
    model.compile(
        build_optimizer(config),
        loss=losses(config.heads),
        loss_weights={
            head: (1 - shares[head]) * (config.gender_weight if head == "gender" else 1.0)
            for head in config.heads
        },
        weighted_metrics=metrics(config.heads),
        steps_per_execution=steps_per_call,
    )
    # A checkpoint is loaded into this state; a step that does not create it is traced faster.
    model.optimizer.build(model.trainable_variables)


def build_optimizer(config: Config) -> keras.optimizers.Optimizer:
    """AdamW or stochastic gradient descent, as configured, with averaged weights."""
    common: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "use_ema": True,
        "ema_momentum": config.ema,
    }
    if config.optimizer == "sgd":
        return averaging.SGD(momentum=0.9, nesterov=True, **common)
    return averaging.AdamW(**common)
