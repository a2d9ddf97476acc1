"""Figures of a trained classifier, measured through the code that runs it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier, Head, softmax
from training.classifier.losses import one_hot
from training.classifier.validation import (
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
    taken,
)
from training.data import datasets
from training.data.datasets import HEADS
from training.measure import bias
from training.measure.calibration import agreement, calibration_error, crossentropy, reliability
from training.measure.costs import costs
from training.measure.figures import Share, confusion, f1, share
from training.measure.risk import risk_coverage
from training.measure.robustness import degraded


def evaluate(path: Path, data: Path, cache: Path, part: Part = "validation") -> dict[str, Any]:
    """All figures of an ONNX or HDF5 file on one part of the pictures, ready for JSON.

    An HDF5 file holds no calibration: it is calibrated anew, on `validation`. Raises ModelError or
    RunError for a file that cannot be used, DatasetError for the data.
    """
    logits: Logits
    frames: int | None = None
    if path.suffix == ".onnx":
        classifier = Classifier(path, own=True)
        heads = {"expression": classifier.expression_head, "gender": classifier.gender_head}
        names: Collection[str] = tuple(HEADS)
        run, size, logits = classifier.metadata.run, classifier.size, classifier.logits
    else:
        model = load_keras(path)
        run, names, logits = path.parent.name, model.output_names, keras_logits(model)
        size, frames = taken(model)
        known = load_pictures("validation", data, cache, size, frames, names)
        heads = calibrate(outputs(logits, known, names), known)
    pictures = load_pictures(part, data, cache, size, frames, names)
    found = outputs(logits, pictures, names)
    seen = {} if frames else degraded(pictures)
    return {
        "model": {"file": path.name, "run": run, "size": size},
        "part": {"name": part, "faces": PARTS[part][0], "people": PARTS[part][1]},
        "headline": _asdicts(headline(found, pictures)),
        "crossentropy": crossentropies(found, pictures),
        **by_data_set(found, pictures),
        "calibration": {
            name: calibration(pair, heads[name], WANTED[name])
            for name, pair in judged(found, pictures).items()
        },
        "robustness": {
            name: _asdicts(headline(outputs(logits, case, names), case)) for name, case in seen.items()
        },
        "costs": costs(path) if path.suffix == ".onnx" else {"bytes": path.stat().st_size},
    }


def headline(found: Outputs, pictures: Pictures) -> dict[str, Share]:
    """How often each head is right, by each data set's own labels."""
    shares = {}
    if "expression" in found:
        shares["fer2013"] = share(found["fer2013"].argmax(axis=1) == pictures.faces.labels)
    if "expression" in found and pictures.faces.votes.any():
        strict, majority = datasets.ferplus_strict(pictures.faces.votes)
        clear, winner = datasets.ferplus_argmax(pictures.faces.votes)
        expressions = found["expression"].argmax(axis=1)
        shares["ferplus_strict"] = share((expressions == majority)[strict])
        shares["ferplus_argmax"] = share((expressions == winner)[clear])
    if "gender" in found:
        shares["gender"] = share(found["gender"].argmax(axis=1) == pictures.people.genders)
    return shares


def crossentropies(found: Outputs, pictures: Pictures) -> dict[str, float]:
    """The loss of each head in nats, without temperature, against what training holds it against."""
    pairs = judged(found, pictures)
    if "fer2013" in found:
        truth = one_hot(pictures.faces.labels, len(datasets.EXPRESSIONS))
        pairs["fer2013"] = Judged(found["fer2013"], truth)
    return {name: round(crossentropy(pair.logits, pair.truth), 4) for name, pair in pairs.items()}


def by_data_set(found: Outputs, pictures: Pictures) -> dict[str, Any]:
    """Class by class for FER2013's labels and FER+'s votes, group by group for gender."""
    figures = {}
    if "expression" in found:
        figures["fer2013"] = class_figures(found["fer2013"].argmax(axis=1), pictures.faces.labels)
    if "expression" in found and pictures.faces.votes.any():
        clear, winner = datasets.ferplus_argmax(pictures.faces.votes)
        figures["ferplus"] = class_figures(found["expression"].argmax(axis=1)[clear], winner[clear])
    if "gender" in found:
        figures["gender"] = gender_figures(found["gender"].argmax(axis=1), pictures.people)
    return figures


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


def gender_figures(found: NDArray[np.int64], people: datasets.FairFace) -> dict[str, Any]:
    """How often perceived gender is right by race and gender, by age, and by all three; confusion."""
    correct = found == people.genders
    genders = np.array(datasets.GENDERS)[people.genders]
    groups = _by_group(correct, np.char.add(np.char.add(people.races, " "), genders))
    worst = min(groups, key=lambda group: groups[group].value)
    best = max(groups, key=lambda group: groups[group].value)
    cells = bias.cells(correct, people)
    worst_cell = bias.worst(cells)
    return {
        "groups": _asdicts(groups),
        "ages": _asdicts(_by_group(correct, people.ages)),
        "worst_group": worst,
        "gap": round(groups[best].value - groups[worst].value, 4),
        "cells": [asdict(cell) for cell in cells],
        "worst_cell": asdict(worst_cell) if worst_cell else None,
        "confusion": confusion(people.genders, found, len(datasets.GENDERS)).tolist(),
    }


def calibration(pair: Judged, head: Head, wanted: float) -> dict[str, Any]:
    """Calibration before and after temperature, risk by coverage, and what the threshold does."""
    before, after = softmax(pair.logits, 1.0), softmax(pair.logits, head.temperature)
    known = after.max(axis=1) >= head.unknown_below
    right = agreement(after, pair.truth)
    return {
        "temperature": head.temperature,
        "ece_before": round(calibration_error(before, pair.truth), 4),
        "ece_after": round(calibration_error(after, pair.truth), 4),
        "wanted": wanted,
        "unknown_below": head.unknown_below,
        "coverage": asdict(share(known)),
        "agreement_known": round(float(right[known].mean()), 4) if known.any() else None,
        "agreement_unknown": round(float(right[~known].mean()), 4) if not known.all() else None,
        "reliability_before": _bins(before, pair.truth),
        "reliability_after": _bins(after, pair.truth),
        "risk_coverage": asdict(risk_coverage(after.max(axis=1), right)),
    }


def _bins(probabilities: NDArray[np.float32], truth: NDArray[np.float32]) -> list[dict[str, float]]:
    bins = reliability(probabilities, truth)
    return [{name: round(value, 4) for name, value in asdict(each).items()} for each in bins]


def _asdicts(shares: Mapping[str, Share]) -> dict[str, Any]:
    return {name: asdict(figure) for name, figure in shares.items()}


def _by_group(correct: NDArray[np.bool_], groups: NDArray[np.str_]) -> dict[str, Share]:
    names = sorted(set(groups.tolist()), key=bias.reading_order)
    return {name: share(correct[groups == name]) for name in names}
