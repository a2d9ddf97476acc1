"""What a data set holds: faces per class and split, pictures that occur twice, and what else to know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import datasets
from training.data.datasets import EXPRESSIONS, GENDERS, CkClips, FairFace, Fer2013, UtkFace
from training.data.duplicates import Duplicates, duplicates

_AGES = tuple(datasets.age_group(years) for years in (0, 3, *range(10, 80, 10)))


@dataclass(frozen=True)
class ClassTable:
    """How many faces of each class are in each split: counts (splits, classes)."""

    title: str
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Inventory:
    """A data set at a glance.

    images (n, h, w) uint8 with their labels (n,) int64, an index into `classes`: what samples are shown of.
    """

    title: str
    tables: tuple[ClassTable, ...]
    notes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def fer2013(faces: Fer2013) -> Inventory:
    """FER2013's labels and the two readings of FER+'s votes, by published split."""
    splits = ("Training", "PublicTest", "PrivateTest")
    numbers = np.array([splits.index(usage) for usage in faces.usages.tolist()], np.int64)
    tables = [_table("FER2013 labels", splits, numbers, EXPRESSIONS, faces.labels)]
    notes = _repeated(duplicates(faces.images, numbers, faces.labels), splits)
    training, fresh = int((numbers == 0).sum()), len(datasets.unseen(faces).images)
    notes.append(f"rows of Training left out of it, as a test part has their picture: {training - fresh:,}")
    if faces.votes.any():
        for title, reading in (
            ("FER+ strict majority", datasets.ferplus_strict),
            ("FER+ argmax", datasets.ferplus_argmax),
        ):
            kept, winners = reading(faces.votes)
            tables.append(_table(title, splits, numbers[kept], EXPRESSIONS, winners[kept]))
        lost = training - int(datasets.usable(faces.votes[numbers == 0]).sum())
        notes.append(f"rows of Training with too few FER+ votes for one of the seven expressions: {lost:,}")
    else:
        notes.append(
            "image folders: no FER+ votes, so labels are learnt in their place, and there are no FER+ figures"
        )
        notes.append(
            "where names do not tell PublicTest from PrivateTest, a tenth of train stands for PublicTest "
            "and the whole of test for PrivateTest: figures are not those of the published parts"
        )
    if blank := int((faces.images.min(axis=(1, 2)) == faces.images.max(axis=(1, 2))).sum()):
        notes.append(f"one even grey, no face: {_pictures(blank)}")
    return Inventory("FER2013", tuple(tables), tuple(notes), faces.images, faces.labels, EXPRESSIONS)


def fairface(train: FairFace, val: FairFace) -> Inventory:
    """FairFace's genders, ages and races, by what its pictures are used for."""
    splits = ("train", "held out of train", "val")
    numbers = np.concatenate([train.held_out().astype(np.int64), np.full(len(val.images), 2)])
    images = np.concatenate([train.images, val.images])
    people = (train.genders, train.ages, train.races), (val.genders, val.ages, val.races)
    genders, ages, races = (np.concatenate(pair) for pair in zip(*people, strict=True))
    return Inventory(
        "FairFace",
        (
            _table("FairFace perceived gender", splits, numbers, GENDERS, genders),
            _named("FairFace age", splits, numbers, ages),
            _named("FairFace race", splits, numbers, races),
        ),
        tuple(_repeated(duplicates(images, numbers, genders), splits)),
        images,
        genders,
        GENDERS,
    )


def utkface(faces: UtkFace) -> Inventory:
    """UTKFace's genders, ages and races; it has no splits."""
    people, splits = faces.people(), ("all",)
    numbers = np.zeros(len(faces.images), np.int64)
    notes = _repeated(duplicates(faces.images, numbers, faces.genders), splits)
    if faces.unlabelled:
        notes.append(f"left out, as their names lack a label: {_pictures(faces.unlabelled)}")
    return Inventory(
        "UTKFace",
        (
            _table("UTKFace perceived gender", splits, numbers, GENDERS, faces.genders),
            _named("UTKFace age", splits, numbers, people.ages),
            _named("UTKFace race", splits, numbers, people.races),
        ),
        tuple(notes),
        faces.images,
        faces.genders,
        GENDERS,
    )


def ckplus(clips: CkClips) -> Inventory:
    """CK+48's clips by expression; it has no splits, and folds are made by subject."""
    splits, numbers = ("all",), np.zeros(len(clips.frames), np.int64)
    notes = [
        f"clips of {clips.frames.shape[1]} frames, {len(set(clips.subjects.tolist())):,} subjects",
        f"clips left out, as contempt is none of the seven expressions: {clips.contempt:,}",
        *_repeated(duplicates(clips.frames, numbers, clips.labels), splits),
    ]
    table = _table("CK+48 clips", splits, numbers, EXPRESSIONS, clips.labels)
    return Inventory("CK+48", (table,), tuple(notes), clips.frames[:, -1], clips.labels, EXPRESSIONS)


def _table(
    title: str,
    splits: tuple[str, ...],
    numbers: NDArray[np.int64],
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
) -> ClassTable:
    counts = np.zeros((len(splits), len(classes)), np.int64)
    np.add.at(counts, (numbers, labels), 1)
    return ClassTable(title, splits, classes, counts)


def _named(
    title: str, splits: tuple[str, ...], numbers: NDArray[np.int64], names: NDArray[np.str_]
) -> ClassTable:
    """A table of classes that are known by name alone: ages in their order, others by the alphabet."""
    order = {age: place for place, age in enumerate(_AGES)}
    classes = tuple(sorted(set(names.tolist()), key=lambda name: (order.get(name, -1), name)))
    labels = np.array([classes.index(name) for name in names.tolist()], np.int64)
    return _table(title, splits, numbers, classes, labels)


def _repeated(found: Duplicates, splits: Sequence[str]) -> list[str]:
    """Duplicates in words, nothing of what does not occur."""
    notes = [
        f"repeated in {splits[split]}: {_pictures(count)}, each after the first"
        for split, count in found.within.items()
    ]
    notes += [
        f"of {splits[first]}, in {splits[second]} too: {_pictures(count)}"
        for (first, second), count in found.across.items()
    ]
    if found.contradicting:
        notes.append(f"with more than one label: {_pictures(found.contradicting)}")
    return notes or ["no picture occurs twice"]


def _pictures(count: int) -> str:
    return f"{count:,} picture{'s' * (count != 1)}"
