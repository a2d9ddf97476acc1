"""What a network looks at: Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74) of the faces it is
surest of, rightly and wrongly.
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
    Pictures,
    calibrate,
    keras_logits,
    load_keras,
    load_pictures,
    outputs,
    taken,
)
from training.data import datasets
from training.data.datasets import HEADS
from training.errors import ExplainError
from training.measure.receptive import grid, last_map


@dataclass(frozen=True)
class Face:
    """One answer: picture (size, size) uint8, and heat of the same shape, 0..1, for that answer."""

    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    truth: str
    answer: str
    confidence: float


@dataclass(frozen=True)
class Explained:
    """The faces that a head is surest of, by their true label: where it is right, where it is wrong."""

    head: str
    source: str
    right: dict[str, list[Face]]
    wrong: dict[str, list[Face]]


EXPLAINABLE = ("expression", "gender")
"""The heads whose answers are explained."""


def explain(path: Path, data: Path, cache: Path, heads: Collection[str], count: int) -> list[Explained]:
    """`count` faces of each kind for every label of the heads, or of all that there are if none is named.

    Faces are of the part `validation`, on which confidence is calibrated, too. Raises RunError for a
    file that is no Keras model, ExplainError for a head that it has not or a network without feature maps,
    DatasetError for the data.
    """
    model = load_keras(path)
    present = [head for head in EXPLAINABLE if head in model.output_names]
    if missing := sorted(set(heads) - set(present)):
        raise ExplainError(f"{path} has no head {missing[0]!r}; it has {', '.join(model.output_names)}")
    heads = heads or present
    pictures = load_pictures("validation", data, cache, *taken(model), heads)
    found = outputs(keras_logits(model), pictures, heads)
    calibrated = calibrate(found, pictures)
    explained = []
    for head in heads:
        crops, truth, clear, source = _labelled(head, pictures)
        rows = clear[distinct(crops[clear])]
        probabilities = calibrated[head].probabilities(found[head][rows])
        explained.append(_surest(model, head, source, crops[rows], truth[rows], probabilities, count))
    return explained


def heat_maps(
    model: keras.Model, head: str, crops: NDArray[np.uint8], answers: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How much each place of crops (n, size, size) speaks for an answer (n,): (n, size, size), 0..1.

    The maps of the last layer that has places are added up, each weighed by the mean slope of the
    answer's logit; what speaks against it is cut off. Of clips (n, frames, size, size), the last frame.
    All zero where nothing speaks for it. Raises ExplainError for a network without such a layer.
    """
    layer = last_map(model, head)
    network = keras.Model(model.inputs, [layer.output, model.get_layer(head).output])
    pixels = tf.constant(network_input(crops))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        maps, logits = network(pixels, training=False)
        chosen = tf.gather(logits, answers, batch_dims=1)
    slopes, values = tape.gradient(chosen, maps).numpy(), maps.numpy()
    if values.ndim == 5:
        slopes, values = slopes[:, -1], values[:, -1]
    heat = np.maximum((slopes.mean(axis=(1, 2), keepdims=True) * values).sum(axis=-1), 0)
    heat /= np.maximum(heat.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    where = grid(model, layer)
    to_cell = np.array([[1 / where.step, 0, -where.first / where.step]] * 2)
    to_cell[1] = to_cell[1, [1, 0, 2]]
    size, how = crops.shape[-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(each, to_cell, (size, size), flags=how, borderMode=cv2.BORDER_REPLICATE)
            for each in heat
        ]
    )


def distinct(crops: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows of crops (n, ...) that repeat none before them: FER2013 holds many a picture twice."""
    _, first = np.unique(crops.reshape(len(crops), -1), axis=0, return_index=True)
    return np.sort(first)


def surest(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], label: int, right: bool, count: int
) -> NDArray[np.int64]:
    """Rows of at most `count` faces of a label that are answered rightly, or wrongly, surest first."""
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    rows = np.flatnonzero((truth == label) & ((answers == truth) == right))
    return rows[np.argsort(-confidence[rows], kind="stable")[:count]]


def _labelled(
    head: str, pictures: Pictures
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], str]:
    """Crops that have labels for a head, the labels, which of them are clear, and where they are from."""
    faces, people = PARTS[pictures.part]
    if head == "gender":
        genders = pictures.people.genders
        return pictures.person_crops, genders, np.arange(len(genders)), people
    clear, winner = datasets.ferplus_argmax(pictures.faces.votes)
    return pictures.face_crops, winner, np.flatnonzero(clear), faces


def _surest(
    model: keras.Model,
    head: str,
    source: str,
    crops: NDArray[np.uint8],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    count: int,
) -> Explained:
    labels = HEADS[head]

    def faces(label: int, right: bool) -> list[Face]:
        rows = surest(probabilities, truth, label, right, count)
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
    return Explained(head, source, right, wrong)
