"""Figures of a trained classifier, measured through the code that runs it."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier, Head, softmax
from training import datasets
from training.calibration import agreement, calibration_error
from training.costs import costs
from training.figures import Share, confusion, f1, share
from training.robustness import degraded
from training.validation import (
    PARTS,
    WANTED,
    Judged,
    Logits,
    Outputs,
    Part,
    Pictures,
    calibrate,
    judged,
    keras_logits,
    load_keras,
    load_pictures,
    outputs,
)


def evaluate(path: Path, data: Path, cache: Path, part: Part = "validation") -> dict[str, Any]:
    """All figures of an ONNX or HDF5 file on one part of the pictures, ready for JSON.

    An HDF5 file holds no calibration: it is calibrated anew, on `validation`. Raises ModelError or
    RunError for a file that cannot be used, DatasetError for the data.
    """
    logits: Logits
    if path.suffix == ".onnx":
        classifier = Classifier(path, own=True)
        heads = {"expression": classifier.expression_head, "gender": classifier.gender_head}
        run, size, logits = classifier.metadata.run, classifier.size, classifier.logits
    else:
        model = load_keras(path)
        run, size, logits = path.parent.name, model.input_shape[1], keras_logits(model)
        known = load_pictures("validation", data, cache, size)
        heads = calibrate(outputs(logits, known), known)
    pictures = load_pictures(part, data, cache, size)
    found = outputs(logits, pictures)
    clear, winner = datasets.ferplus_argmax(pictures.faces.votes)
    return {
        "model": {"file": path.name, "run": run, "size": size},
        "part": {"name": part, "faces": PARTS[part][0], "people": PARTS[part][1]},
        "headline": {name: asdict(figure) for name, figure in headline(found, pictures).items()},
        "fer2013": class_figures(found.fer2013.argmax(axis=1), pictures.faces.labels),
        "ferplus": class_figures(found.expression.argmax(axis=1)[clear], winner[clear]),
        "gender": gender_figures(found.gender.argmax(axis=1) == pictures.people.genders, pictures.people),
        "calibration": {
            name: calibration(pair, heads[name], WANTED[name])
            for name, pair in judged(found, pictures).items()
        },
        "robustness": {
            name: {label: asdict(figure) for label, figure in headline(outputs(logits, seen), seen).items()}
            for name, seen in degraded(pictures).items()
        },
        "costs": costs(path) if path.suffix == ".onnx" else {"bytes": path.stat().st_size},
    }


def headline(found: Outputs, pictures: Pictures) -> dict[str, Share]:
    """How often each head is right, by each data set's own labels."""
    strict, majority = datasets.ferplus_strict(pictures.faces.votes)
    clear, winner = datasets.ferplus_argmax(pictures.faces.votes)
    expressions = found.expression.argmax(axis=1)
    return {
        "fer2013": share(found.fer2013.argmax(axis=1) == pictures.faces.labels),
        "ferplus_strict": share((expressions == majority)[strict]),
        "ferplus_argmax": share((expressions == winner)[clear]),
        "gender": share(found.gender.argmax(axis=1) == pictures.people.genders),
    }


def class_figures(found: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Recall and F1 of each expression that occurs, their mean F1 over all seven, confusion."""
    counts = confusion(labels, found, len(datasets.EXPRESSIONS))
    scores = f1(counts)
    return {
        "macro_f1": round(float(scores.mean()), 4),
        "per_class": {
            name: {
                "recall": asdict(share(found[labels == label] == label)),
                "f1": round(float(scores[label]), 4),
            }
            for label, name in enumerate(datasets.EXPRESSIONS)
            if (labels == label).any()
        },
        "confusion": counts.tolist(),
    }


def gender_figures(correct: NDArray[np.bool_], people: datasets.FairFace) -> dict[str, Any]:
    """How often perceived gender is right by race and gender, and by age."""
    genders = np.array(datasets.GENDERS)[people.genders]
    groups = _by_group(correct, np.char.add(np.char.add(people.races, " "), genders))
    worst = min(groups, key=lambda group: groups[group].value)
    best = max(groups, key=lambda group: groups[group].value)
    return {
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


def _by_group(correct: NDArray[np.bool_], groups: NDArray[np.str_]) -> dict[str, Share]:
    names = sorted(set(groups.tolist()), key=_in_reading_order)
    return {name: share(correct[groups == name]) for name in names}


def _in_reading_order(name: str) -> tuple[int, str]:
    """Ages by their first number, other names by the alphabet."""
    number = re.search(r"\d+", name)
    return (int(number.group()) if number else 0, name)
