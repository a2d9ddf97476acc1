"""Evaluation sets and calibration: pictures that training does not use.

Selection, calibration and thresholds use the part `validation`: FER2013's PublicTest and the held-out slice
of FairFace's training split. The part `test`, PrivateTest and FairFace's validation split, is only for the
final figures.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from numpy.typing import NDArray

from inference.classifier import ClassifierHead, softmax
from training.classifier.inputs import fairface_crops, fer2013_crops, network_input
from training.classifier.losses import one_hot
from training.data import datasets
from training.data.datasets import HEADS
from training.data.importers import load_fairface, load_fer2013
from training.errors import DatasetError, RunError
from training.measure.calibration import fit_temperature, unknown_below
from training.runs.layers import FusedBatchNormalization

Part = Literal["validation", "test"]
PARTS: Mapping[Part, tuple[str, str]] = {
    "validation": ("FER2013 PublicTest", "FairFace held-out slice of train"),
    "test": ("FER2013 PrivateTest", "FairFace val"),
}
"""The sources of each part: faces with expressions, and faces with genders."""

Outputs = dict[str, NDArray[np.float32]]
"""Each head's logits (n, classes) on the pictures with labels for it, by name."""

Logits = Callable[[NDArray[np.uint8]], Outputs]
"""Function from crops (n, size, size), or clips, to the logits (n, classes) of every head, by name."""

REQUIRED_AGREEMENT = {"expression": 0.5, "gender": 0.7}
"""A face is "unknown" to a runtime head if its label is right to less than this share."""

BATCH = 256

CUSTOM_LAYERS = {keras.saving.get_registered_name(FusedBatchNormalization): FusedBatchNormalization}
"""Layers that are not part of Keras, by their name in HDF5 files."""


@dataclass(frozen=True)
class EvaluationSet:
    """The pictures of one part, as crops (n, size, size) or clips (n, frames, size, size)."""

    part: Part
    faces: datasets.Fer2013
    face_crops: NDArray[np.uint8]
    people: datasets.FairFace
    person_crops: NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledLogits:
    """One head's logits (n, k) and the truth (n, k)."""

    logits: NDArray[np.float32]
    truth: NDArray[np.float32]


def load_evaluation_set(
    part: Part,
    data: Path,
    cache: Path,
    size: int,
    frames: int | None = None,
    heads: Collection[str] = tuple(HEADS),
) -> EvaluationSet:
    """One part as crops, or as clips of `frames` frames; raises DatasetError, also where it has no pictures.

    A data set without labels for any of the heads is not read and contributes no pictures.
    """
    faces, people = datasets.NO_FACES, datasets.NO_PEOPLE
    if "expression" in heads:
        faces = load_fer2013(data, cache).part("PublicTest" if part == "validation" else "PrivateTest")
    if "gender" in heads and part == "validation":
        people = load_fairface(data, cache, "train")
        people = people.rows(people.held_out())
    elif "gender" in heads:
        people = load_fairface(data, cache, "val")
    for head, name, found in (
        ("expression", PARTS[part][0], faces.images),
        ("gender", PARTS[part][1], people.images),
    ):
        if head in heads and not len(found):
            raise DatasetError(f"{data}: there are no pictures of {name} to measure the head {head} on")
    face_crops, person_crops = fer2013_crops(faces, size, frames), fairface_crops(people, size, frames)
    return EvaluationSet(part, faces, face_crops, people, person_crops)


def calibrate(found: Outputs, pictures: EvaluationSet) -> dict[str, ClassifierHead]:
    """Fit the temperature and the `unknown` threshold of each runtime head in `found`."""
    heads = {}
    for name, pair in labelled_logits(found, pictures).items():
        temperature = fit_temperature(pair.logits, pair.truth)
        threshold = unknown_below(softmax(pair.logits, temperature), pair.truth, REQUIRED_AGREEMENT[name])
        heads[name] = ClassifierHead(HEADS[name], temperature, threshold)
    return heads


def labelled_logits(found: Outputs, pictures: EvaluationSet) -> dict[str, LabelledLogits]:
    """Logits and training targets of each runtime head, which calibration compares."""
    pairs = {}
    if "expression" in found:
        truth = datasets.expression_head_targets(pictures.faces)
        usable = truth.any(axis=1)
        pairs["expression"] = LabelledLogits(found["expression"][usable], truth[usable])
    if "gender" in found:
        truth = one_hot(pictures.people.genders, len(datasets.GENDERS))
        pairs["gender"] = LabelledLogits(found["gender"], truth)
    return pairs


def compute_outputs(
    logits: Logits, pictures: EvaluationSet, heads: Collection[str] = tuple(HEADS)
) -> Outputs:
    """The logits of the heads on the pictures with labels for them.

    Without a head `fer2013`, the head `expression` is compared with FER2013's labels.
    """
    found = {}
    if "expression" in heads:
        faces = predict_in_batches(logits, pictures.face_crops)
        found["expression"] = faces["expression"]
        found["fer2013"] = faces.get("fer2013", faces["expression"])
    if "gender" in heads:
        found["gender"] = predict_in_batches(logits, pictures.person_crops)["gender"]
    return found


def load_keras(path: Path) -> keras.Model:
    """Load a model from its HDF5 file; raises RunError if there is none."""
    try:
        return keras.models.load_model(path, CUSTOM_LAYERS, compile=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a trained model: {error}") from error


def input_shape(model: keras.Model) -> tuple[int, int | None]:
    """The input of a Keras model: side of its pictures, and frames of its clips (None: single pictures)."""
    *clip, size, _, _ = model.input_shape[1:]
    return size, clip[0] if clip else None


def keras_logits(model: keras.Model) -> Logits:
    """A Keras model as a function of crops (n, size, size) uint8."""

    def logits(crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = model.predict_on_batch(network_input(crops))
        return found

    return logits


def predict_in_batches(logits: Logits, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Logits of any number of crops, computed in batches."""
    parts = [logits(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    return {head: np.concatenate([part[head] for part in parts]) for head in parts[0]}
