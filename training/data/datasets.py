"""The face data sets as arrays: FER2013 with its FER+ votes, FairFace and UTKFace with face boxes, CK+48.

What the labels and votes mean is here; `training.data.importers` reads the files.
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
"""FER+ rows whose seven expressions keep fewer votes than this are not trained on."""

HEADS = {"expression": EXPRESSIONS, "fer2013": EXPRESSIONS, "gender": GENDERS}
"""Classes of each head: what FER+ raters voted, FER2013's own labels, and perceived gender."""

HELD_OUT_PARTS = 10
"""One part in this many of FairFace's training split is held out for figures."""


@dataclass(frozen=True)
class Fer2013:
    """FER2013 rows with their FER+ votes, in file order.

    images (n, 48, 48) uint8; labels (n,) int64 index into EXPRESSIONS; usages (n,) str, one of
    Training, PublicTest, PrivateTest; votes (n, 10) int64 in the order of FERPLUS_COLUMNS, all 0 where it
    was read from image folders, for which there are none.
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
        """Which rows are kept out of training (n,) bool: by hash of the file name, for good."""
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


@dataclass(frozen=True)
class UtkFace:
    """UTKFace's aligned and cropped pictures with the box of their face.

    images (n, 96, 96) uint8; boxes (n, 4) float32 x, y, w, h in pixels, which may reach outside the
    picture; genders (n,) int64 index into GENDERS; ages (n,) int64 in years; races, files (n,) str;
    unlabelled: pictures left out because their name lacks a label.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    genders: NDArray[np.int64]
    ages: NDArray[np.int64]
    races: NDArray[np.str_]
    files: NDArray[np.str_]
    unlabelled: int

    def people(self) -> FairFace:
        """The same faces in FairFace's terms: ages as its groups, races under UTKFace's names."""
        groups = np.array([age_group(age) for age in self.ages.tolist()], np.str_)
        return FairFace(self.images, self.boxes, self.genders, groups, self.races, self.files)


@dataclass(frozen=True)
class CkClips:
    """CK+48's sequences as clips of their last three frames.

    frames (n, 3, 48, 48) uint8 in the order of time; labels (n,) int64 index into EXPRESSIONS; subjects
    (n,) str: folds must not part the clips of one subject; contempt: clips left out, as it is none of the
    seven.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    contempt: int


def held_out(keys: Iterable[bytes]) -> NDArray[np.bool_]:
    """About one in HELD_OUT_PARTS of keys (n,) bool, by their hash: the same key is always on one side."""
    digests = (hashlib.sha256(key).digest() for key in keys)
    return np.array([int.from_bytes(digest[:8]) % HELD_OUT_PARTS == 0 for digest in digests], np.bool_)


def age_group(years: int) -> str:
    """The name of FairFace's age group: 0-2, 3-9, tens of years up to 60-69, more than 70."""
    if years < 10:
        return "0-2" if years < 3 else "3-9"
    return "more than 70" if years >= 70 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def expression_votes(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """FER+ votes (n, 10) as votes for EXPRESSIONS (n, 7); lone votes are noise and become 0."""
    order = [FERPLUS_COLUMNS.index(name) for name in EXPRESSIONS]
    counts = votes[:, order]
    return np.where(counts > 1, counts, 0)


def usable(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows (n,) that FER+ raters took for a face with one of the seven expressions."""
    enough = expression_votes(votes).sum(axis=1) >= MIN_VOTES
    no_face = votes[:, FERPLUS_COLUMNS.index("NF")] > 1
    return np.asarray(enough & ~no_face)


def expression_targets(votes: NDArray[np.int64]) -> NDArray[np.float32]:
    """The distribution of FER+ votes (n, 10) over EXPRESSIONS (n, 7); zeros where not `usable`."""
    counts = expression_votes(votes) * usable(votes)[:, None]
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), np.float32)


def learnable(faces: Fer2013) -> NDArray[np.float32]:
    """What the head `expression` is to learn (n, 7): FER+'s distributions, zeros where not `usable`.

    Where there are no votes at all, as for image folders, FER2013's labels take their place.
    """
    if faces.votes.any():
        return expression_targets(faces.votes)
    return np.eye(len(EXPRESSIONS), dtype=np.float32)[faces.labels]


def unseen(faces: Fer2013) -> Fer2013:
    """FER2013's Training rows whose picture is in neither test part too, as 703 are."""
    training = faces.usages == "Training"
    return faces.rows(training & ~_among(faces.images, faces.images[~training]))


def unseen_people(train: FairFace, val: FairFace) -> FairFace:
    """FairFace's train rows whose picture is neither held out nor in val: 4 are in val, 8 held out twice."""
    held_out = train.held_out()
    tested = np.concatenate([train.images[held_out], val.images])
    return train.rows(~held_out & ~_among(train.images, tested))


def _among(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pictures (n, h, w) are, pixel by pixel, among others: (n,) bool."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images], np.bool_)


def ferplus_strict(votes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows (n,) whose majority is one of the seven expressions, and that expression (n,).

    Lone votes are dropped; more than half of all that remain must agree.
    """
    kept = np.where(votes > 1, votes, 0)
    counts = expression_votes(votes)
    return counts.max(axis=1) * 2 > kept.sum(axis=1), counts.argmax(axis=1)


def ferplus_argmax(votes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows (n,) where an expression beats contempt, unknown and NF, and that expression (n,)."""
    order = [FERPLUS_COLUMNS.index(name) for name in EXPRESSIONS]
    rest = [FERPLUS_COLUMNS.index(name) for name in ("contempt", "unknown", "NF")]
    counts = votes[:, order]
    return counts.max(axis=1) > votes[:, rest].max(axis=1), counts.argmax(axis=1)
