"""Figures of a trained classifier, measured through the code that runs it.

Selection, calibration and these figures use FER2013's PublicTest and the slice of FairFace's
training split that no training sees. PrivateTest and FairFace's validation split stay closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier, Head, softmax
from inference.crops import crop
from training import datasets
from training.calibration import calibration_error, fit_temperature, unknown_below
from training.costs import costs
from training.errors import RunError
from training.figures import Share, confusion, f1, share
from training.importers import load_fairface, load_fer2013
from training.train import HEADS, fairface_crops, fer_crops, network_input

Logits = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]

WANTED = {"expression": 0.5, "gender": 0.7}
"""A face is "unknown" to a head where its label would be right less often than this."""

JITTER_SHIFT = 0.10
JITTER_ZOOM = 0.15
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
    """Logits of the head in question for the validation pictures."""

    expression: NDArray[np.float32]
    gender: NDArray[np.float32]


def load_validation(data: Path, cache: Path, size: int) -> Validation:
    """PublicTest and FairFace's held-out slice; raises DatasetError."""
    faces = load_fer2013(data, cache).part("PublicTest")
    fairface = load_fairface(data, cache, "train")
    people = fairface.rows(fairface.held_out())
    return Validation(faces, fer_crops(faces.images, size), people, fairface_crops(people, size))


def evaluate(path: Path, data: Path, cache: Path) -> dict[str, Any]:
    """All figures of an ONNX or HDF5 file, ready for JSON.

    An HDF5 file holds no calibration: it is calibrated anew. Raises ModelError or RunError for a
    file that cannot be used, DatasetError for the data.
    """
    logits: Logits
    if path.suffix == ".onnx":
        classifier = Classifier(path, own=True)
        validation = load_validation(data, cache, classifier.size)
        heads = {"expression": classifier.expression_head, "gender": classifier.gender_head}
        run, logits = classifier.metadata.run, classifier.logits
    else:
        model = load_keras(path)
        validation = load_validation(data, cache, model.input_shape[1])
        run, logits = path.parent.name, keras_logits(model)
        heads = calibrate(outputs(logits, validation), validation)
    found = outputs(logits, validation)
    return {
        "model": {"file": path.name, "run": run, "size": validation.face_crops.shape[1]},
        "expression": expression_figures(found.expression, validation.faces),
        "gender": gender_figures(found.gender, validation.people),
        "calibration": {
            "expression": {"wanted": WANTED["expression"]}
            | calibration(found.expression, validation.faces.labels, heads["expression"]),
            "gender": {"wanted": WANTED["gender"]}
            | calibration(found.gender, validation.people.genders, heads["gender"]),
        },
        "jitter": jitter(logits, validation),
        "costs": costs(path) if path.suffix == ".onnx" else {"bytes": path.stat().st_size},
    }


def calibrate(found: Outputs, validation: Validation) -> dict[str, Head]:
    """Temperature and `unknown` threshold of each head."""
    pairs = {
        "expression": (found.expression, validation.faces.labels),
        "gender": (found.gender, validation.people.genders),
    }
    heads = {}
    for name, (logits, labels) in pairs.items():
        temperature = fit_temperature(logits, labels)
        threshold = unknown_below(softmax(logits, temperature), labels, WANTED[name])
        heads[name] = Head(HEADS[name], temperature, threshold)
    return heads


def outputs(logits: Logits, validation: Validation) -> Outputs:
    """Each head's logits on the pictures that have labels for it."""
    return Outputs(
        expression=_batched(logits, validation.face_crops)[0],
        gender=_batched(logits, validation.person_crops)[1],
    )


def expression_figures(logits: NDArray[np.float32], faces: datasets.Fer2013) -> dict[str, Any]:
    """Accuracy by FER2013's labels and by FER+ votes, F1, confusion."""
    found = logits.argmax(axis=1)
    counts = confusion(faces.labels, found, len(datasets.EXPRESSIONS))
    scores = f1(counts)
    strict, majority = datasets.ferplus_strict(faces.votes)
    clear, winner = datasets.ferplus_argmax(faces.votes)
    return {
        "fer2013_public": asdict(share(found == faces.labels)),
        "ferplus_public_strict": asdict(share((found == majority)[strict])),
        "ferplus_public_argmax": asdict(share((found == winner)[clear])),
        "macro_f1": round(float(scores.mean()), 4),
        "per_class": {
            name: {
                "recall": asdict(share(found[faces.labels == label] == label)),
                "f1": round(float(scores[label]), 4),
            }
            for label, name in enumerate(datasets.EXPRESSIONS)
            if (faces.labels == label).any()
        },
        "confusion": counts.tolist(),
    }


def gender_figures(logits: NDArray[np.float32], people: datasets.FairFace) -> dict[str, Any]:
    """Accuracy on FairFace's held-out slice, in all and by race and gender."""
    correct = logits.argmax(axis=1) == people.genders
    groups: dict[str, Share] = {}
    for race in sorted(set(people.races.tolist())):
        for gender, name in enumerate(datasets.GENDERS):
            members = (people.races == race) & (people.genders == gender)
            if members.any():
                groups[f"{race} {name}"] = share(correct[members])
    worst = min(groups, key=lambda group: groups[group].value)
    best = max(groups, key=lambda group: groups[group].value)
    return {
        "fairface_held_out": asdict(share(correct)),
        "groups": {name: asdict(figure) for name, figure in groups.items()},
        "worst_group": worst,
        "gap": round(groups[best].value - groups[worst].value, 4),
    }


def calibration(logits: NDArray[np.float32], labels: NDArray[np.int64], head: Head) -> dict[str, Any]:
    """Calibration error before and after temperature, and what the threshold does."""
    after = softmax(logits, head.temperature)
    known = after.max(axis=1) >= head.unknown_below
    correct = after.argmax(axis=1) == labels
    return {
        "temperature": head.temperature,
        "ece_before": round(calibration_error(softmax(logits, 1.0), labels), 4),
        "ece_after": round(calibration_error(after, labels), 4),
        "unknown_below": head.unknown_below,
        "coverage": asdict(share(known)),
        "accuracy_when_known": asdict(share(correct[known])) if known.any() else None,
    }


def jitter(logits: Logits, validation: Validation) -> dict[str, Any]:
    """Accuracy under boxes moved by up to 10 % and scaled by up to 15 %."""
    rng = np.random.default_rng(1)
    side = datasets.FER_SIDE
    whole = np.tile(np.array([0, 0, side, side], np.float32), (len(validation.faces.images), 1))
    size = validation.face_crops.shape[1]
    faces = [
        crop(image, box[None], size, scale=1, shift=0)
        for image, box in zip(validation.faces.images, _jittered(whole, rng), strict=True)
    ]
    people = [
        crop(image, box[None], size)
        for image, box in zip(validation.people.images, _jittered(validation.people.boxes, rng), strict=True)
    ]
    expressions = _batched(logits, np.concatenate(faces))[0].argmax(axis=1)
    genders = _batched(logits, np.concatenate(people))[1].argmax(axis=1)
    return {
        "fer2013_public": asdict(share(expressions == validation.faces.labels)),
        "fairface_held_out": asdict(share(genders == validation.people.genders)),
    }


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


def _jittered(boxes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(boxes)
    size = boxes[:, 2:]
    centre = boxes[:, :2] + size / 2 + rng.uniform(-JITTER_SHIFT, JITTER_SHIFT, (n, 2)) * size
    scaled = size * rng.uniform(1 - JITTER_ZOOM, 1 + JITTER_ZOOM, (n, 1))
    return np.concatenate([centre - scaled / 2, scaled], axis=1).astype(np.float32)


def _batched(logits: Logits, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    parts = [logits(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    expressions, genders = zip(*parts, strict=True)
    return np.concatenate(expressions), np.concatenate(genders)
