"""Figures of a trained classifier, measured through the code that runs it."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier, Head, softmax
from inference.crops import crop
from training import datasets
from training.calibration import agreement, calibration_error
from training.costs import costs
from training.figures import Share, confusion, f1, share
from training.validation import (
    WANTED,
    Judged,
    Logits,
    Validation,
    batched,
    calibrate,
    judged,
    keras_logits,
    load_keras,
    load_validation,
    outputs,
)

MOVE, ZOOM = 0.10, 0.15
"""How far `robustness` moves and scales boxes, as shares of their size."""

SMALL = (24, 16, 12)
"""Sides in pixels of the small crops that `robustness` tries."""


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
            name: calibration(pair, heads[name], WANTED[name])
            for name, pair in judged(found, validation).items()
        },
        "robustness": robustness(logits, validation),
        "costs": costs(path) if path.suffix == ".onnx" else {"bytes": path.stat().st_size},
    }


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
    """Accuracy on FairFace's held-out slice: in all, by race and gender, by age."""
    correct = logits.argmax(axis=1) == people.genders
    genders = np.array(datasets.GENDERS)[people.genders]
    groups = _by_group(correct, np.char.add(np.char.add(people.races, " "), genders))
    worst = min(groups, key=lambda group: groups[group].value)
    best = max(groups, key=lambda group: groups[group].value)
    return {
        "fairface_held_out": asdict(share(correct)),
        "groups": {name: asdict(figure) for name, figure in groups.items()},
        "ages": {name: asdict(figure) for name, figure in _by_group(correct, people.ages).items()},
        "worst_group": worst,
        "gap": round(groups[best].value - groups[worst].value, 4),
    }


def calibration(pair: Judged, head: Head, wanted: float) -> dict[str, Any]:
    """Calibration error before and after temperature, and what the threshold does."""
    after = softmax(pair.logits, head.temperature)
    known = after.max(axis=1) >= head.unknown_below
    right = agreement(after, pair.truth)
    return {
        "temperature": head.temperature,
        "ece_before": round(calibration_error(softmax(pair.logits, 1.0), pair.truth), 4),
        "ece_after": round(calibration_error(after, pair.truth), 4),
        "wanted": wanted,
        "unknown_below": head.unknown_below,
        "coverage": asdict(share(known)),
        "agreement_known": round(float(right[known].mean()), 4) if known.any() else None,
        "agreement_unknown": round(float(right[~known].mean()), 4) if not known.all() else None,
    }


def robustness(logits: Logits, validation: Validation) -> dict[str, Any]:
    """Accuracy under boxes moved by up to 10 % and scaled by up to 15 %, and on small faces."""
    moved = _moved_crops(validation)
    crops = {"moved boxes": moved}
    for pixels in SMALL:
        crops[f"{pixels} pixels"] = (
            _small(validation.face_crops, pixels),
            _small(validation.person_crops, pixels),
        )
    return {
        name: {
            "fer2013_public": asdict(
                share(batched(logits, faces)[0].argmax(axis=1) == validation.faces.labels)
            ),
            "fairface_held_out": asdict(
                share(batched(logits, people)[1].argmax(axis=1) == validation.people.genders)
            ),
        }
        for name, (faces, people) in crops.items()
    }


def _by_group(correct: NDArray[np.bool_], groups: NDArray[np.str_]) -> dict[str, Share]:
    names = sorted(set(groups.tolist()), key=_in_reading_order)
    return {name: share(correct[groups == name]) for name in names}


def _in_reading_order(name: str) -> tuple[int, str]:
    """Ages by their first number, other names by the alphabet."""
    number = re.search(r"\d+", name)
    return (int(number.group()) if number else 0, name)


def _moved_crops(validation: Validation) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    side, size = datasets.FER_SIDE, validation.face_crops.shape[1]
    whole = np.tile(np.array([0, 0, side, side], np.float32), (len(validation.faces.images), 1))
    faces = zip(validation.faces.images, _moved(whole, rng), strict=True)
    people = zip(validation.people.images, _moved(validation.people.boxes, rng), strict=True)
    return (
        np.concatenate([crop(image, box[None], size, scale=1, shift=0) for image, box in faces]),
        np.concatenate([crop(image, box[None], size) for image, box in people]),
    )


def _moved(boxes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(boxes)
    size = boxes[:, 2:]
    centre = boxes[:, :2] + size / 2 + rng.uniform(-MOVE, MOVE, (n, 2)) * size
    scaled = size * rng.uniform(1 - ZOOM, 1 + ZOOM, (n, 1))
    return np.concatenate([centre - scaled / 2, scaled], axis=1).astype(np.float32)


def _small(crops: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Crops (n, size, size) as a camera shows them that gives each only `pixels` a side."""
    size = crops.shape[1]
    few = (cv2.resize(c, (pixels, pixels), interpolation=cv2.INTER_AREA) for c in crops)
    return np.stack([np.asarray(cv2.resize(c, (size, size)), np.uint8) for c in few])
