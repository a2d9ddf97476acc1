"""Train a face classifier: expressions from FER2013 and FER+, perceived gender from FairFace.

Read `fit` from top to bottom; `training.runs` keeps what it leaves behind.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from inference.crops import crop, squares
from training import datasets
from training.architectures import architecture, build
from training.augment import blend, views
from training.datasets import HEADS
from training.importers import load_fairface, load_fer2013
from training.losses import Targets, joined, losses, mask, metrics, place
from training.progress import Bar, draw_curves
from training.recipes import Config
from training.runs import CHECKPOINT, MODEL_FILE, Row, open_run, write_history
from training.schedule import Annealing

WIDTHS = {head: len(labels) for head, labels in HEADS.items()}


class Batches(keras.utils.PyDataset):
    """Mixed batches: FER2013 faces with both their labels, FairFace faces with a gender.

    An epoch is one pass over FER2013 with as many random FairFace faces as the batches hold. Batch
    i of epoch e is a function of the seed, e and i alone.
    """

    def __init__(
        self, faces: datasets.Fer2013, people: datasets.FairFace, config: Config, epoch: int
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=16)
        self._config, self._epoch = config, epoch
        self._size = architecture(config.arch).size
        self._faces, self._people = faces, people
        self._face_squares = whole_squares(len(faces.images))
        self._person_squares = squares(people.boxes)
        self._expressions = datasets.expression_targets(faces.votes)
        self._labels = one_hot(faces.labels, WIDTHS["fer2013"])
        self._genders = smoothed(one_hot(people.genders, WIDTHS["gender"]), config.gender_smoothing)
        self._shuffle()

    def __len__(self) -> int:
        return max(1, len(self._faces.images) // self._config.expression_batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], Targets, Targets]:
        config = self._config
        rng = np.random.default_rng((config.seed, self._epoch, index))
        face = _taken(self._face_order, index, config.expression_batch)
        person = _taken(self._person_order, index, config.gender_batch)
        faces = views(self._faces.images[face], self._face_squares[face], self._size, rng)
        people = views(self._people.images[person], self._person_squares[person], self._size, rng)
        labelled = place({"expression": self._expressions[face], "fer2013": self._labels[face]}, WIDTHS)
        gendered = place({"gender": self._genders[person]}, WIDTHS)
        first, first_targets = blend(network_input(faces), labelled, config.mixup, rng)
        second, second_targets = blend(network_input(people), gendered, config.mixup, rng)
        targets = joined(first_targets, second_targets)
        return np.concatenate([first, second]), targets, mask(targets)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._config.seed, self._epoch))
        self._face_order = rng.permutation(len(self._faces.images))
        self._person_order = rng.permutation(len(self._people.images))


class Checkpoint(keras.callbacks.Callback):
    """After each epoch: the weights with the optimizer's state, the history and its curves."""

    def __init__(self, run: Path, history: list[Row]) -> None:
        super().__init__()
        self._run, self._history = run, history
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write them; a run that is cut off goes on after the last epoch that was written."""
        partial = self._run / "partial.weights.h5"
        self.model.save_weights(partial)
        partial.replace(self._run / CHECKPOINT)
        values = {name: round(float(value), 5) for name, value in sorted((logs or {}).items())}
        seconds = round(time.monotonic() - self._started, 1)
        self._started = time.monotonic()
        self._history.append({"epoch": epoch + 1, "seconds": seconds} | values)
        write_history(self._run, self._history)
        draw_curves(self._run, self._history, tuple(HEADS))


def fit(config: Config, data: Path, run: Path, cache: Path, resume: bool) -> Path:
    """Train one network and return its HDF5 file.

    Raises DatasetError, UnknownArchitecture, or RunError for a run folder that is in use or was
    made with another configuration.
    """
    keras.utils.set_random_seed(config.seed)
    faces, people, validation = load(config, data, cache)
    history = open_run(run, config, resume)
    batches = Batches(faces, people, config, epoch=len(history))
    model = build_in(config.precision, config)
    compile_model(model, config)
    if history:
        # Its state must be there to be loaded.
        model.optimizer.build(model.trainable_variables)
        model.load_weights(run / CHECKPOINT)
    model.fit(
        batches,
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
                sum(row["seconds"] for row in history),
            ),
            keras.callbacks.SwapEMAWeights(),
            keras.callbacks.TerminateOnNaN(),
            Checkpoint(run, history),
            Bar(tuple(HEADS), Console()),
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
        return build(config.arch, WIDTHS, config.dropout)
    finally:
        keras.config.set_dtype_policy(before)


def load(
    config: Config, data: Path, cache: Path
) -> tuple[datasets.Fer2013, datasets.FairFace, tuple[NDArray[np.float32], Targets, Targets]]:
    """What is trained on, and the validation batch: PublicTest and FairFace's held-out slice."""
    fer = load_fer2013(data, cache)
    fairface = load_fairface(data, cache, "train")
    held_out = fairface.held_out()
    people, others = fairface.rows(~held_out), fairface.rows(held_out)
    public = fer.part("PublicTest")
    return datasets.unseen(fer), people, _validation(public, others, architecture(config.arch).size)


def compile_model(model: keras.Model, config: Config) -> None:
    """Give a network its losses, and AdamW with exponentially averaged weights."""
    model.compile(
        keras.optimizers.AdamW(
            config.learning_rate, weight_decay=config.weight_decay, use_ema=True, ema_momentum=config.ema
        ),
        loss=losses(HEADS),
        loss_weights={"expression": 1.0, "fer2013": 1.0, "gender": config.gender_weight},
        weighted_metrics=metrics(HEADS),
    )


def network_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Crops (n, size, size) uint8 as a network takes them: (n, size, size, 1) float32, 0..255."""
    return crops[..., None].astype(np.float32)


def whole_squares(n: int) -> NDArray[np.float32]:
    """Squares (n, 3) that take the whole of n FER2013 pictures, which are crops already."""
    side = datasets.FER_SIDE
    return np.tile(np.array([side / 2, side / 2, side], np.float32), (n, 1))


def fer_crops(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """FER2013 pictures (n, 48, 48) as crops (n, size, size)."""
    if size == datasets.FER_SIDE:
        return images
    return np.stack([cv2.resize(image, (size, size)) for image in images])


def fairface_crops(people: datasets.FairFace, size: int) -> NDArray[np.uint8]:
    """FairFace pictures as crops (n, size, size) under their detector boxes."""
    pairs = zip(people.images, people.boxes, strict=True)
    return np.concatenate([crop(image, box[None], size) for image, box in pairs])


def one_hot(labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Targets (n, classes) of labels (n,)."""
    return np.eye(classes, dtype=np.float32)[labels]


def smoothed(targets: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Targets (n, k) of which a share is spread evenly over all classes."""
    return targets * np.float32(1 - share) + np.float32(share / targets.shape[1])


def _validation(
    faces: datasets.Fer2013, people: datasets.FairFace, size: int
) -> tuple[NDArray[np.float32], Targets, Targets]:
    crops = np.concatenate([fer_crops(faces.images, size), fairface_crops(people, size)])
    targets = joined(
        place(
            {
                "expression": datasets.expression_targets(faces.votes),
                "fer2013": one_hot(faces.labels, WIDTHS["fer2013"]),
            },
            WIDTHS,
        ),
        place({"gender": one_hot(people.genders, WIDTHS["gender"])}, WIDTHS),
    )
    return network_input(crops), targets, mask(targets)


def _taken(order: NDArray[np.int64], index: int, count: int) -> NDArray[np.int64]:
    # Sorted, as the pictures are mapped from a file.
    return np.sort(order.take(range(index * count, (index + 1) * count), mode="wrap"))
