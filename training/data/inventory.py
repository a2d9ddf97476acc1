"""Inventory of a data set: faces per class and split, duplicates, and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import datasets
from training.data.datasets import EXPRESSIONS, GENDERS, CkClips, FairFace, Fer2013, UtkFace
from training.data.duplicates import Duplicates, find_duplicates

_AGES = tuple(datasets.age_group(years) for years in (0, 3, *range(10, 80, 10)))


@dataclass(frozen=True)
class ClassTable:
    """Number of faces per split and class: counts (splits, classes)."""

    title: str
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Inventory:
    """The content of a data set.

    images (n, h, w) uint8 with labels (n,) int64, an index into `classes`: the pictures for samples.
    """

    title: str
    tables: tuple[ClassTable, ...]
    notes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]


def fer2013(faces: Fer2013) -> Inventory:
    """FER2013's labels and the two interpretations of FER+'s votes, by published split."""
    splits = ("Training", "PublicTest", "PrivateTest")
    numbers = np.array([splits.index(usage) for usage in faces.usages.tolist()], np.int64)
    tables = [_class_table("FER2013 labels", splits, numbers, EXPRESSIONS, faces.labels)]
    notes = _duplicate_notes(find_duplicates(faces.images, numbers, faces.labels), splits)
    training, untested = int((numbers == 0).sum()), len(datasets.untested_faces(faces).images)
    notes.append(
        f"rows of Training left out because their picture is in a test part: {training - untested:,}"
    )
    if faces.votes.any():
        for title, reading in (
            ("FER+ strict majority", datasets.ferplus_strict),
            ("FER+ argmax", datasets.ferplus_argmax),
        ):
            kept, winners = reading(faces.votes)
            tables.append(_class_table(title, splits, numbers[kept], EXPRESSIONS, winners[kept]))
        lost = training - int(datasets.has_enough_votes(faces.votes[numbers == 0]).sum())
        notes.append(f"rows of Training with too few FER+ votes for one of the seven expressions: {lost:,}")
    else:
        notes.append(
            "image folders: no FER+ votes; training uses the labels instead, and there are no FER+ figures"
        )
        notes.append(
            "if names do not separate PublicTest and PrivateTest, a tenth of train replaces PublicTest "
            "and all of test is PrivateTest: figures differ from those of the published parts"
        )
    if blank := int((faces.images.min(axis=(1, 2)) == faces.images.max(axis=(1, 2))).sum()):
        notes.append(f"a single grey value, no face: {_count_pictures(blank)}")
    return Inventory("FER2013", tuple(tables), tuple(notes), faces.images, faces.labels, EXPRESSIONS)


def fairface(train: FairFace, val: FairFace) -> Inventory:
    """FairFace's genders, ages and races, by use of the pictures."""
    splits = ("train", "held out of train", "val")
    numbers = np.concatenate([train.held_out().astype(np.int64), np.full(len(val.images), 2)])
    images = np.concatenate([train.images, val.images])
    people = (train.genders, train.ages, train.races), (val.genders, val.ages, val.races)
    genders, ages, races = (np.concatenate(pair) for pair in zip(*people, strict=True))
    return Inventory(
        "FairFace",
        (
            _class_table("FairFace perceived gender", splits, numbers, GENDERS, genders),
            _table_of_names("FairFace age", splits, numbers, ages),
            _table_of_names("FairFace race", splits, numbers, races),
        ),
        tuple(_duplicate_notes(find_duplicates(images, numbers, genders), splits)),
        images,
        genders,
        GENDERS,
    )


def utkface(faces: UtkFace) -> Inventory:
    """UTKFace's genders, ages and races; it has no splits."""
    people, splits = faces.people(), ("all",)
    numbers = np.zeros(len(faces.images), np.int64)
    notes = _duplicate_notes(find_duplicates(faces.images, numbers, faces.genders), splits)
    if faces.unlabelled:
        notes.append(f"left out because their names lack a label: {_count_pictures(faces.unlabelled)}")
    return Inventory(
        "UTKFace",
        (
            _class_table("UTKFace perceived gender", splits, numbers, GENDERS, faces.genders),
            _table_of_names("UTKFace age", splits, numbers, people.ages),
            _table_of_names("UTKFace race", splits, numbers, people.races),
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
        f"clips left out because contempt is none of the seven expressions: {clips.contempt:,}",
        *_duplicate_notes(find_duplicates(clips.frames, numbers, clips.labels), splits),
    ]
    table = _class_table("CK+48 clips", splits, numbers, EXPRESSIONS, clips.labels)
    return Inventory("CK+48", (table,), tuple(notes), clips.frames[:, -1], clips.labels, EXPRESSIONS)


def _class_table(
    title: str,
    splits: tuple[str, ...],
    numbers: NDArray[np.int64],
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
) -> ClassTable:
    counts = np.zeros((len(splits), len(classes)), np.int64)
    np.add.at(counts, (numbers, labels), 1)
    return ClassTable(title, splits, classes, counts)


def _table_of_names(
    title: str, splits: tuple[str, ...], numbers: NDArray[np.int64], names: NDArray[np.str_]
) -> ClassTable:
    """A table of classes given by name: ages in their order, others alphabetically."""
    order = {age: place for place, age in enumerate(_AGES)}
    classes = tuple(sorted(set(names.tolist()), key=lambda name: (order.get(name, -1), name)))
    labels = np.array([classes.index(name) for name in names.tolist()], np.int64)
    return _class_table(title, splits, numbers, classes, labels)


def _duplicate_notes(found: Duplicates, splits: Sequence[str]) -> list[str]:
    """Notes about duplicates."""
    notes = [
        f"repeated in {splits[split]}: {_count_pictures(count)}, not counting the first of each"
        for split, count in found.within.items()
    ]
    notes += [
        f"in {splits[first]} and also in {splits[second]}: {_count_pictures(count)}"
        for (first, second), count in found.across.items()
    ]
    if found.contradicting:
        notes.append(f"with more than one label: {_count_pictures(found.contradicting)}")
    return notes or ["no picture occurs twice"]


def _count_pictures(count: int) -> str:
    return f"{count:,} picture{'s' * (count != 1)}"
