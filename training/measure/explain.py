"""Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74): heat maps of the faces with the most confident
right and wrong answers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.classifier.inputs import network_input
from training.classifier.validation import (
    PARTS,
    EvaluationSet,
    calibrate,
    compute_outputs,
    input_shape,
    keras_logits,
    load_evaluation_set,
    load_keras,
)
from training.data import datasets
from training.data.datasets import HEADS
from training.errors import ExplainError
from training.measure.receptive_field import grid, last_map


@dataclass(frozen=True)
class Face:
    """One answer: picture (size, size) uint8, and heat of the same shape, 0..1, for this answer."""

    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    truth: str
    answer: str
    confidence: float


@dataclass(frozen=True)
class Explanation:
    """The most confident right and wrong answers of a head, by true label."""

    head: str
    source: str
    right: dict[str, list[Face]]
    wrong: dict[str, list[Face]]


EXPLAINABLE = ("expression", "gender")
"""The heads that can be explained."""


def explain(path: Path, data: Path, cache: Path, heads: Collection[str], count: int) -> list[Explanation]:
    """`count` right and `count` wrong answers for every label of the heads; all heads if none is given.

    Faces come from the part `validation`, which also calibrates the confidence. Raises RunError for a file
    that is not a Keras model, ExplainError for a missing head or a network without feature maps,
    DatasetError for the data.
    """
    model = load_keras(path)
    present = [head for head in EXPLAINABLE if head in model.output_names]
    if missing := sorted(set(heads) - set(present)):
        raise ExplainError(f"{path} has no head {missing[0]!r}; it has {', '.join(model.output_names)}")
    heads = heads or present
    pictures = load_evaluation_set("validation", data, cache, *input_shape(model), heads)
    found = compute_outputs(keras_logits(model), pictures, heads)
    calibrated = calibrate(found, pictures)
    explained = []
    for head in heads:
        crops, truth, clear, source = _labelled(head, pictures)
        rows = clear[distinct_rows(crops[clear])]
        probabilities = calibrated[head].probabilities(found[head][rows])
        explained.append(_explain_head(model, head, source, crops[rows], truth[rows], probabilities, count))
    return explained


def heat_maps(
    model: keras.Model, head: str, crops: NDArray[np.uint8], answers: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Grad-CAM of crops (n, size, size) for given answers (n,): heat (n, size, size), 0..1.

    Heat is the sum of the last layer's feature maps, each weighted by the mean gradient of the answer's
    logit, with negative values set to 0. For clips (n, frames, size, size), it is that of the last frame.
    All zero if nothing supports the answer. Raises ExplainError for a network without feature maps.
    """
    layer = last_map(model, head)
    network = keras.Model(model.inputs, [layer.output, model.get_layer(head).output])
    pixels = tf.constant(network_input(crops))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        maps, logits = network(pixels, training=False)
        chosen = tf.gather(logits, answers, batch_dims=1)
    gradients, values = tape.gradient(chosen, maps).numpy(), maps.numpy()
    if values.ndim == 5:
        gradients, values = gradients[:, -1], values[:, -1]
    heat = np.maximum((gradients.mean(axis=(1, 2), keepdims=True) * values).sum(axis=-1), 0)
    heat /= np.maximum(heat.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    cells = grid(model, layer)
    to_cell = np.array([[1 / cells.step, 0, -cells.first / cells.step]] * 2)
    to_cell[1] = to_cell[1, [1, 0, 2]]
    size, flags = crops.shape[-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(each, to_cell, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for each in heat
        ]
    )


def distinct_rows(crops: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of crops (n, ...) without repetitions: FER2013 holds many pictures twice."""
    _, first = np.unique(crops.reshape(len(crops), -1), axis=0, return_index=True)
    return np.sort(first)


def surest_rows(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], label: int, right: bool, count: int
) -> NDArray[np.int64]:
    """Rows of at most `count` faces of a label with a right, or wrong, answer, the most confident first."""
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows = np.flatnonzero((truth == label) & ((answers == truth) == right))
    return rows[np.argsort(-confidence[rows], kind="stable")[:count]]


def _labelled(
    head: str, pictures: EvaluationSet
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], str]:
    """Crops with labels for a head, the labels, the rows with clear labels, and the data source.

    Expressions have FER+'s labels, or FER2013's where there are no votes.
    """
    faces, people = PARTS[pictures.part]
    if head == "gender":
        genders = pictures.people.genders
        return pictures.person_crops, genders, np.arange(len(genders)), people
    if not pictures.faces.votes.any():
        labels = pictures.faces.labels
        return pictures.face_crops, labels, np.arange(len(labels)), faces
    clear, winner = datasets.ferplus_argmax(pictures.faces.votes)
    return pictures.face_crops, winner, np.flatnonzero(clear), faces


def _explain_head(
    model: keras.Model,
    head: str,
    source: str,
    crops: NDArray[np.uint8],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    count: int,
) -> Explanation:
    labels = HEADS[head]

    def faces(label: int, right: bool) -> list[Face]:
        rows = surest_rows(probabilities, truth, label, right, count)
        if not len(rows):
            return []
        answers = probabilities[rows].argmax(axis=1)
        heats = heat_maps(model, head, crops[rows], answers)
        stills = crops[rows] if crops.ndim == 3 else crops[rows, -1]
        return [
            Face(still, heat, labels[label], labels[answer], float(probabilities[row, answer]))
            for row, still, heat, answer in zip(rows, stills, heats, answers, strict=True)
        ]

    right, wrong = ({name: faces(i, kind) for i, name in enumerate(labels)} for kind in (True, False))
    return Explanation(head, source, right, wrong)
