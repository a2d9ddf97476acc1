"""What a network is given: batches of random views with their targets, and the validation pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from inference.crops import squares
from training.classifier.architectures import architecture
from training.classifier.augment import blend, plain, views
from training.classifier.inputs import network_input, whole_squares
from training.classifier.losses import Targets, joined, one_hot, place, smoothed, weighed
from training.classifier.recipes import Config
from training.data import datasets


@dataclass(frozen=True)
class Source:
    """The faces of one data set, with targets for the heads that it has labels for.

    images (n, h, w) uint8; squares (n, 3) around the faces; targets (n, classes) by head; `batch` of
    them are in every step.
    """

    images: NDArray[np.uint8]
    squares: NDArray[np.float32]
    targets: Targets
    batch: int


def expression_source(faces: datasets.Fer2013, config: Config) -> Source:
    """FER2013's faces, to learn expressions from."""
    around = whole_squares(len(faces.images))
    return Source(faces.images, around, expressions(faces), config.expression_batch)


def gender_source(people: datasets.FairFace, config: Config) -> Source:
    """FairFace's faces, to learn perceived gender from."""
    targets = {"gender": smoothed(genders(people)["gender"], config.gender_smoothing)}
    return Source(people.images, squares(people.boxes), targets, config.gender_batch)


class Batches(keras.utils.PyDataset):
    """Mixed batches: so many faces from each source, each with a target for the heads that it has.

    An epoch is one pass over the first source with as many random faces of the others as the batches
    hold. Batch i of epoch e is a function of the seed, e and i alone. Pictures are whole grey values, even
    where two were blended: a quarter of the bytes to hand on.
    """

    def __init__(self, sources: Sequence[Source], config: Config, epoch: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=16)
        self._sources, self._config, self._epoch = sources, config, epoch
        self._network = architecture(config.arch)
        self._shuffle()

    def __len__(self) -> int:
        first = self._sources[0]
        return max(1, len(first.images) // first.batch)

    def at(self, step: int) -> tuple[NDArray[np.uint8], Targets, Targets]:
        """The batch of a step that is counted through all epochs, from the first of epoch 0."""
        epoch, index = divmod(step, len(self))
        if epoch != self._epoch:
            self._epoch = epoch
            self._shuffle()
        return self[index]

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Targets, Targets]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        parts = [
            self._part(source, _taken(order, index, source.batch), rng)
            for source, order in zip(self._sources, self._orders, strict=True)
        ]
        targets = joined([targets for _, targets in parts])
        pictures = np.concatenate([pictures for pictures, _ in parts]).round().astype(np.uint8)
        return pictures, *weighed(targets)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        self._epoch += 1
        self._shuffle()

    def _part(
        self, source: Source, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], Targets]:
        see = views if self._config.augment else plain
        network = self._network
        seen = see(source.images[rows], source.squares[rows], network.size, rng, network.frames)
        known = place({head: target[rows] for head, target in source.targets.items()}, self._config.widths)
        return blend(network_input(seen), known, self._config.mixup, rng)

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._config.seed, self._epoch))
        self._orders = [rng.permutation(len(source.images)) for source in self._sources]


def validation(
    parts: Sequence[tuple[NDArray[np.uint8], Targets]], config: Config
) -> tuple[NDArray[np.float32], Targets, Targets]:
    """Pictures, or clips, of every data set with the targets that it has, as one batch."""
    targets = joined([place(known, config.widths) for _, known in parts])
    return network_input(np.concatenate([pictures for pictures, _ in parts])), *weighed(targets)


def expressions(faces: datasets.Fer2013) -> Targets:
    """Targets of the heads `expression` and `fer2013`."""
    return {
        "expression": datasets.learnable(faces),
        "fer2013": one_hot(faces.labels, len(datasets.HEADS["fer2013"])),
    }


def genders(people: datasets.FairFace) -> Targets:
    """Targets of the head `gender`."""
    return {"gender": one_hot(people.genders, len(datasets.HEADS["gender"]))}


def _taken(order: NDArray[np.int64], index: int, count: int) -> NDArray[np.int64]:
    # Sorted, as the pictures are mapped from a file.
    return np.sort(order.take(range(index * count, (index + 1) * count), mode="wrap"))
