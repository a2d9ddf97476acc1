"""What a model is held against: pictures that no training sees, and how its confidence is set.

Selection, calibration and figures use FER2013's PublicTest and the slice of FairFace's training
split that no training sees. PrivateTest and FairFace's validation split stay closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from inference.classifier import Head, softmax
from training import datasets
from training.calibration import fit_temperature, unknown_below
from training.errors import RunError
from training.importers import load_fairface, load_fer2013
from training.train import HEADS, fairface_crops, fer_crops, network_input, one_hot

Logits = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Crops (n, size, size) to the logits of both heads."""

WANTED = {"expression": 0.5, "gender": 0.7}
"""A face is "unknown" to a head where its label is right to less than this share."""

BATCH = 256


@dataclass(frozen=True)
class Validation:
    """What a model is measured on, as crops of its size."""

    faces: datasets.Fer2013
    face_crops: NDArray[np.uint8]
    people: datasets.FairFace
    person_crops: NDArray[np.uint8]


@dataclass(frozen=True)
class Outputs:
    """Each head's logits on the validation pictures that have labels for it."""

    expression: NDArray[np.float32]
    gender: NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """One head's logits (n, k) and the truth (n, k) that its confidence is held against."""

    logits: NDArray[np.float32]
    truth: NDArray[np.float32]


def load_validation(data: Path, cache: Path, size: int) -> Validation:
    """PublicTest and FairFace's held-out slice; raises DatasetError."""
    faces = load_fer2013(data, cache).part("PublicTest")
    fairface = load_fairface(data, cache, "train")
    people = fairface.rows(fairface.held_out())
    return Validation(faces, fer_crops(faces.images, size), people, fairface_crops(people, size))


def calibrate(found: Outputs, validation: Validation) -> dict[str, Head]:
    """Temperature and `unknown` threshold of each head."""
    heads = {}
    for name, pair in judged(found, validation).items():
        temperature = fit_temperature(pair.logits, pair.truth)
        threshold = unknown_below(softmax(pair.logits, temperature), pair.truth, WANTED[name])
        heads[name] = Head(HEADS[name], temperature, threshold)
    return heads


def judged(found: Outputs, validation: Validation) -> dict[str, Judged]:
    """What calibration compares: the targets that training has, on validation pictures."""
    usable = datasets.usable(validation.faces.votes)
    return {
        "expression": Judged(
            found.expression[usable], datasets.expression_targets(validation.faces.rows(usable))
        ),
        "gender": Judged(found.gender, one_hot(validation.people.genders, len(datasets.GENDERS))),
    }


def outputs(logits: Logits, validation: Validation) -> Outputs:
    """Each head's logits on the pictures that have labels for it."""
    return Outputs(
        expression=batched(logits, validation.face_crops)[0],
        gender=batched(logits, validation.person_crops)[1],
    )


def load_keras(path: Path) -> keras.Model:
    """A model from its HDF5 file; raises RunError where there is none."""
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a trained model: {error}") from error


def keras_logits(model: keras.Model) -> Logits:
    """A Keras model as a function of crops (n, size, size) uint8."""

    def logits(crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        found = model.predict_on_batch(network_input(crops))
        return found["expression"], found["gender"]

    return logits


def batched(logits: Logits, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits of any number of crops, some hundred at a time."""
    parts = [logits(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    expressions, genders = zip(*parts, strict=True)
    return np.concatenate(expressions), np.concatenate(genders)
