"""What a model is held against: pictures that no training sees, and how its confidence is set.

Selection, calibration and thresholds use the part `validation`: FER2013's PublicTest and the slice
of FairFace's training split that no training sees. The part `test`, PrivateTest and FairFace's
validation split, is opened for the last table alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from inference.classifier import Head, softmax
from training.classifier.inputs import fairface_pictures, fer_pictures, network_input
from training.classifier.losses import one_hot
from training.data import datasets
from training.data.datasets import HEADS
from training.data.importers import load_fairface, load_fer2013
from training.errors import RunError
from training.measure.calibration import fit_temperature, unknown_below
from training.runs.layers import FusedBatchNormalization

Part = Literal["validation", "test"]
PARTS: Mapping[Part, tuple[str, str]] = {
    "validation": ("FER2013 PublicTest", "FairFace held-out slice of train"),
    "test": ("FER2013 PrivateTest", "FairFace val"),
}
"""Where the faces of each part come from: those with expressions, those with genders."""

Outputs = dict[str, NDArray[np.float32]]
"""Each head's logits (n, classes) on the pictures that have labels for it, by name."""

Logits = Callable[[NDArray[np.uint8]], Outputs]
"""Crops (n, size, size), or clips, to the logits (n, classes) of every head, by name."""

WANTED = {"expression": 0.5, "gender": 0.7}
"""A face is "unknown" to a runtime head where its label is right to less than this share."""

BATCH = 256

LAYERS = {keras.saving.get_registered_name(FusedBatchNormalization): FusedBatchNormalization}
"""What Keras does not know by itself, under the name that HDF5 files have for it."""


@dataclass(frozen=True)
class Pictures:
    """What a model is measured on, as crops (n, size, size) or clips (n, frames, size, size)."""

    part: Part
    faces: datasets.Fer2013
    face_crops: NDArray[np.uint8]
    people: datasets.FairFace
    person_crops: NDArray[np.uint8]


@dataclass(frozen=True)
class Judged:
    """One head's logits (n, k) and the truth (n, k) that its confidence is held against."""

    logits: NDArray[np.float32]
    truth: NDArray[np.float32]


def load_pictures(
    part: Part,
    data: Path,
    cache: Path,
    size: int,
    frames: int | None = None,
    heads: Collection[str] = tuple(HEADS),
) -> Pictures:
    """One part as crops, or as clips of so many frames; raises DatasetError.

    A data set that none of the heads is held against is not read: there are no pictures of it.
    """
    faces, people = datasets.NO_FACES, datasets.NO_PEOPLE
    if "expression" in heads:
        faces = load_fer2013(data, cache).part("PublicTest" if part == "validation" else "PrivateTest")
    if "gender" in heads and part == "validation":
        people = load_fairface(data, cache, "train")
        people = people.rows(people.held_out())
    elif "gender" in heads:
        people = load_fairface(data, cache, "val")
    face_crops, person_crops = fer_pictures(faces, size, frames), fairface_pictures(people, size, frames)
    return Pictures(part, faces, face_crops, people, person_crops)


def calibrate(found: Outputs, pictures: Pictures) -> dict[str, Head]:
    """Temperature and `unknown` threshold of each runtime head that there is."""
    heads = {}
    for name, pair in judged(found, pictures).items():
        temperature = fit_temperature(pair.logits, pair.truth)
        threshold = unknown_below(softmax(pair.logits, temperature), pair.truth, WANTED[name])
        heads[name] = Head(HEADS[name], temperature, threshold)
    return heads


def judged(found: Outputs, pictures: Pictures) -> dict[str, Judged]:
    """What calibration compares for each runtime head: logits, and targets as training has them."""
    pairs = {}
    if "expression" in found:
        truth = datasets.learnable(pictures.faces)
        usable = truth.any(axis=1)
        pairs["expression"] = Judged(found["expression"][usable], truth[usable])
    if "gender" in found:
        truth = one_hot(pictures.people.genders, len(datasets.GENDERS))
        pairs["gender"] = Judged(found["gender"], truth)
    return pairs


def outputs(logits: Logits, pictures: Pictures, heads: Collection[str] = tuple(HEADS)) -> Outputs:
    """The logits of those heads on the pictures that have labels for them.

    A network without the head `fer2013` is held against FER2013's labels by its head `expression`.
    """
    found = {}
    if "expression" in heads:
        faces = batched(logits, pictures.face_crops)
        found["expression"] = faces["expression"]
        found["fer2013"] = faces.get("fer2013", faces["expression"])
    if "gender" in heads:
        found["gender"] = batched(logits, pictures.person_crops)["gender"]
    return found


def load_keras(path: Path) -> keras.Model:
    """A model from its HDF5 file; raises RunError where there is none."""
    try:
        return keras.models.load_model(path, LAYERS, compile=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a trained model: {error}") from error


def taken(model: keras.Model) -> tuple[int, int | None]:
    """What a Keras model takes: the side of its pictures, and the frames of its clips, None for pictures."""
    *clip, size, _, _ = model.input_shape[1:]
    return size, clip[0] if clip else None


def keras_logits(model: keras.Model) -> Logits:
    """A Keras model as a function of crops (n, size, size) uint8."""

    def logits(crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = model.predict_on_batch(network_input(crops))
        return found

    return logits


def batched(logits: Logits, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Logits of any number of crops, some hundred at a time."""
    parts = [logits(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}
