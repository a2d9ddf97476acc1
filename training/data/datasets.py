"""The face data sets as arrays: FER2013 with its FER+ votes, FairFace and UTKFace with face boxes, CK+48.

This module defines the meaning of labels and votes; `training.data.importers` reads the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""The seven expressions in the order of FER2013's class numbers."""

GENDERS = ("female", "male")

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)

FER_SIDE = 48
FAIRFACE_SIDE = 96
MIN_VOTES = 3
"""Training leaves out FER+ rows with fewer votes for the seven expressions."""

HEADS = {"expression": EXPRESSIONS, "fer2013": EXPRESSIONS, "gender": GENDERS}
"""Classes of each head: FER+ votes, FER2013's own labels, and perceived gender."""

HELD_OUT_PARTS = 10
"""One in this many rows of FairFace's training split is held out for validation."""


@dataclass(frozen=True)
class Fer2013:
    """FER2013 rows with their FER+ votes, in file order.

    images (n, 48, 48) uint8; labels (n,) int64 index into EXPRESSIONS; usages (n,) str, one of
    Training, PublicTest, PrivateTest; votes (n, 10) int64 in the order of FERPLUS_COLUMNS, all 0 for image
    folders, which have no votes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usages: NDArray[np.str_]
    votes: NDArray[np.int64]

    def part(self, usage: str) -> Fer2013:
        """The rows of one published split."""
        return self.rows(self.usages == usage)

    def rows(self, chosen: NDArray[Any]) -> Fer2013:
        """The chosen rows (mask or indices)."""
        return Fer2013(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class FairFace:
    """FairFace pictures with the box of their main face.

    images (n, 96, 96) uint8; boxes (n, 4) float32 x, y, w, h in pixels, which may reach outside the
    picture; genders (n,) int64 index into GENDERS; ages, races, files (n,) str.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    genders: NDArray[np.int64]
    ages: NDArray[np.str_]
    races: NDArray[np.str_]
    files: NDArray[np.str_]

    def rows(self, chosen: NDArray[Any]) -> FairFace:
        """The chosen rows (mask or indices)."""
        return FairFace(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def held_out(self) -> NDArray[np.bool_]:
        """Rows that are held out of training (n,) bool, by a hash of the file name: they never change."""
        return held_out(str(name).encode() for name in self.files)


NO_FACES = Fer2013(
    np.empty((0, FER_SIDE, FER_SIDE), np.uint8),
    np.empty(0, np.int64),
    np.empty(0, np.str_),
    np.empty((0, len(FERPLUS_COLUMNS)), np.int64),
)
NO_PEOPLE = FairFace(
    np.empty((0, FAIRFACE_SIDE, FAIRFACE_SIDE), np.uint8),
    np.empty((0, 4), np.float32),
    np.empty(0, np.int64),
    *(np.empty(0, np.str_) for _ in range(3)),
)


def join_people(*parts: FairFace) -> FairFace:
    """The rows of several parts, one after the other."""
    return FairFace(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(FairFace))
    )


@dataclass(frozen=True)
class UtkFace:
    """UTKFace's aligned and cropped pictures with the box of their face.

    images (n, 96, 96) uint8; boxes (n, 4) float32 x, y, w, h in pixels, which may reach outside the
    picture; genders (n,) int64 index into GENDERS; ages (n,) int64 in years; races, files (n,) str;
    unlabelled: number of pictures left out because their name lacks a label.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    genders: NDArray[np.int64]
    ages: NDArray[np.int64]
    races: NDArray[np.str_]
    files: NDArray[np.str_]
    unlabelled: int

    def people(self) -> FairFace:
        """The same faces as FairFace: ages as its groups, races by UTKFace's names."""
        groups = np.array([age_group(age) for age in self.ages.tolist()], np.str_)
        return FairFace(self.images, self.boxes, self.genders, groups, self.races, self.files)


@dataclass(frozen=True)
class CkClips:
    """CK+48's sequences as clips of their last three frames.

    frames (n, 3, 48, 48) uint8 in temporal order; labels (n,) int64 index into EXPRESSIONS; subjects (n,)
    str: folds must not separate the clips of one subject; contempt: number of clips left out, because
    contempt is none of the seven.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    contempt: int


def held_out(keys: Iterable[bytes]) -> NDArray[np.bool_]:
    """About one in HELD_OUT_PARTS of the keys (n,) bool, by hash: the result for a key never changes."""
    digests = (hashlib.sha256(key).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8]) % HELD_OUT_PARTS == 0 for digest in digests], np.bool_)


def age_group(years: int) -> str:
    """The name of FairFace's age group: 0-2, 3-9, tens of years up to 60-69, more than 70."""
    if years < 10:
        return "0-2" if years < 3 else "3-9"
    return "more than 70" if years >= 70 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def expression_votes(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """FER+ votes (n, 10) as votes for EXPRESSIONS (n, 7); single votes are noise and become 0."""
    order = [FERPLUS_COLUMNS.index(name) for name in EXPRESSIONS]
    counts = votes[:, order]
    return np.where(counts > 1, counts, 0)


def has_enough_votes(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows (n,) with enough FER+ votes for the seven expressions, and that are a face."""
    enough = expression_votes(votes).sum(axis=1) >= MIN_VOTES
    no_face = votes[:, FERPLUS_COLUMNS.index("NF")] > 1
    return np.asarray(enough & ~no_face)


def expression_targets(votes: NDArray[np.int64]) -> NDArray[np.float32]:
    """The distribution of FER+ votes (n, 10) over EXPRESSIONS (n, 7); zeros without enough votes."""
    counts = expression_votes(votes) * has_enough_votes(votes)[:, None]
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), np.float32)


def expression_head_targets(faces: Fer2013) -> NDArray[np.float32]:
    """Targets of the head `expression` (n, 7): FER+'s distributions, zeros where not `has_enough_votes`.

    Without any votes, as for image folders, FER2013's labels are the targets.
    """
    if faces.votes.any():
        return expression_targets(faces.votes)
    return np.eye(len(EXPRESSIONS), dtype=np.float32)[faces.labels]


def untested_faces(faces: Fer2013) -> Fer2013:
    """FER2013's Training rows without the 703 whose picture is also in PublicTest or PrivateTest."""
    training = faces.usages == "Training"
    return faces.rows(training & ~_occurs_in(faces.images, faces.images[~training]))


def untested_people(train: FairFace, val: FairFace) -> FairFace:
    """FairFace's train rows whose picture is neither held out nor in val (4 are in val, 8 held out)."""
    held_out = train.held_out()
    tested = np.concatenate([train.images[held_out], val.images])
    return train.rows(~held_out & ~_occurs_in(train.images, tested))


def _occurs_in(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pictures (n, h, w) are also among others, pixel by pixel: (n,) bool."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], np.bool_)


def ferplus_strict(votes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows (n,) whose majority is one of the seven expressions, and that expression (n,).

    Single votes are dropped; more than half of the remaining votes must agree.
    """
    kept = np.where(votes > 1, votes, 0)
    counts = expression_votes(votes)
    return counts.max(axis=1) * 2 > kept.sum(axis=1), counts.argmax(axis=1)


def ferplus_argmax(votes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows (n,) whose top expression has more votes than contempt, unknown and NF, and that expression."""
    order = [FERPLUS_COLUMNS.index(name) for name in EXPRESSIONS]
    rest = [FERPLUS_COLUMNS.index(name) for name in ("contempt", "unknown", "NF")]
    counts = votes[:, order]
    return counts.max(axis=1) > votes[:, rest].max(axis=1), counts.argmax(axis=1)
