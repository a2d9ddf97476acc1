"""Training batches of random views with their targets, and the validation batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from inference.crops import squares
from training.classifier.architectures import architecture
from training.classifier.augment import mix_up, plain_views, random_views
from training.classifier.inputs import network_input, whole_squares
from training.classifier.losses import (
    Targets,
    concatenate_targets,
    fill_missing_heads,
    normalise_targets,
    one_hot,
    smooth_labels,
)
from training.classifier.recipes import Config
from training.data import datasets


@dataclass(frozen=True)
class TrainingSet:
    """The training faces of one data set, with targets for the heads that it has labels for.

    images (n, h, w) uint8; squares (n, 3) around the faces; targets (n, classes) by head; `batch`: faces
    in every step; `chances` (n,) float64: how often a face is drawn, as a share of all draws (None: each
    once per pass over the set).
    """

    images: NDArray[np.uint8]
    squares: NDArray[np.float32]
    targets: Targets
    batch: int
    chances: NDArray[np.float64] | None = None


def expression_training_set(faces: datasets.Fer2013, config: Config) -> TrainingSet:
    """FER2013's faces with expression targets."""
    around = whole_squares(len(faces.images))
    return TrainingSet(faces.images, around, expression_targets_by_head(faces), config.expression_batch)


def gender_training_set(people: datasets.FairFace, config: Config) -> TrainingSet:
    """Faces with perceived-gender targets; with `config.balance`, rare groups are drawn more often."""
    targets = {"gender": smooth_labels(gender_targets_by_head(people)["gender"], config.gender_smoothing)}
    chances = draw_chances(people, config.balance) if config.balance else None
    return TrainingSet(people.images, squares(people.boxes), targets, config.gender_batch, chances)


def draw_chances(people: datasets.FairFace, balance: float) -> NDArray[np.float64]:
    """Each face's share (n,) of all draws: its group's size to the power of -`balance`, normalised to sum 1.

    A group is a race, gender and age group.
    """
    names = np.array(
        [f"{people.races[row]}/{people.genders[row]}/{people.ages[row]}" for row in range(len(people.races))]
    )
    _, group, counts = np.unique(names, return_inverse=True, return_counts=True)
    chances = counts[group].astype(np.float64) ** -balance
    return np.asarray(chances / chances.sum())


class ClassifierBatches(keras.utils.PyDataset):
    """Mixed batches: a fixed number of faces from each training set, with targets for the heads it has.

    An epoch is one pass over the first training set; the others contribute as many random faces as the
    batches hold. Batch i of epoch e depends on the seed, e and i only. Pictures are rounded to uint8, also
    after mixup: a quarter of the bytes to transfer.
    """

    def __init__(self, training_sets: Sequence[TrainingSet], config: Config, epoch: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=16)
        self._sets, self._config, self._next = training_sets, config, epoch
        self._network = architecture(config.arch)
        self._begin(epoch)

    def __len__(self) -> int:
        first = self._sets[0]
        return max(1, len(first.images) // first.batch)

    def batch_at_step(self, step: int) -> tuple[NDArray[np.uint8], Targets, Targets]:
        """The batch of a step, counted across all epochs from 0."""
        epoch, index = divmod(step, len(self))
        if epoch != self._epoch:
            self._begin(epoch)
        return self[index]

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Targets, Targets]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        parts = [
            self._part(faces, _take_rows(order, index, faces.batch), rng)
            for faces, order in zip(self._sets, self._orders, strict=True)
        ]
        targets = concatenate_targets([targets for _, targets in parts])
        pictures = np.concatenate([pictures for pictures, _ in parts]).round().astype(np.uint8)
        return pictures, *normalise_targets(targets)

    def on_epoch_begin(self) -> None:
        """Draw the epoch's order; Keras calls `on_epoch_end` also before the first one."""
        self._begin(self._next)
        self._next += 1

    def _part(
        self, faces: TrainingSet, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], Targets]:
        make_views = random_views if self._config.augment else plain_views
        network = self._network
        seen = make_views(faces.images[rows], faces.squares[rows], network.size, rng, network.frames)
        known = fill_missing_heads(
            {head: target[rows] for head, target in faces.targets.items()}, self._config.widths
        )
        return mix_up(network_input(seen), known, self._config.mixup, rng)

    def _begin(self, epoch: int) -> None:
        self._epoch = epoch
        rng = np.random.default_rng((self._config.seed, epoch))
        self._orders = [_draw_order(faces, rng) for faces in self._sets]


def validation_batch(
    parts: Sequence[tuple[NDArray[np.uint8], Targets]], config: Config
) -> tuple[NDArray[np.float32], Targets, Targets]:
    """The pictures, or clips, of all data sets with their targets, as one batch."""
    targets = concatenate_targets([fill_missing_heads(known, config.widths) for _, known in parts])
    return network_input(np.concatenate([pictures for pictures, _ in parts])), *normalise_targets(targets)


def expression_targets_by_head(faces: datasets.Fer2013) -> Targets:
    """Targets of the heads `expression` and `fer2013`."""
    return {
        "expression": datasets.expression_head_targets(faces),
        "fer2013": one_hot(faces.labels, len(datasets.HEADS["fer2013"])),
    }


def gender_targets_by_head(people: datasets.FairFace) -> Targets:
    """Targets of the head `gender`."""
    return {"gender": one_hot(people.genders, len(datasets.HEADS["gender"]))}


def _draw_order(faces: TrainingSet, rng: np.random.Generator) -> NDArray[np.int64]:
    n = len(faces.images)
    if faces.chances is None:
        return rng.permutation(n)
    return rng.choice(n, n, p=faces.chances)


def _take_rows(order: NDArray[np.int64], index: int, count: int) -> NDArray[np.int64]:
    # Sorted, because the pictures are memory-mapped from a file.
    return np.sort(order.take(range(index * count, (index + 1) * count), mode="wrap"))
