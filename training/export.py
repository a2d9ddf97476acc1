"""A trained network as an ONNX file with its metadata, proven equal to the Keras model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from inference.classifier import Classifier
from training import datasets
from training.train import HEADS, network_input

OPSET = 17
TOLERANCE = 1e-5


class ExportError(Exception):
    """The exported file does not do what the Keras model does."""


def export(
    model: keras.Model,
    metadata: Mapping[str, str],
    path: Path,
    crops: NDArray[np.uint8],
) -> float:
    """Write a classifier as ONNX and compare it with Keras on crops (n, size, size) uint8.

    Input: uint8 (n, size, size, 1); outputs: float32 logits, one per head, under the head's name.
    Returns the largest difference of a logit; raises ExportError, and removes the file, where it
    is above 1e-5.
    """
    size = model.input_shape[1]
    signature = [tf.TensorSpec((None, size, size, 1), tf.uint8, name="pixels")]

    @tf.function(input_signature=signature)
    def network(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(tf.cast(pixels, tf.float32), training=False)
        return {head: tf.identity(outputs[head], name=head) for head in HEADS}

    graph, _ = tf2onnx.convert.from_function(network, input_signature=signature, opset=OPSET)
    save(graph, metadata, path)
    difference = parity(model, Classifier(path, own=True), crops)
    if difference > TOLERANCE:
        path.unlink()
        raise ExportError(f"{path}: logits differ from Keras by {difference:.1e}, above {TOLERANCE}")
    return difference


def save(graph: onnx.ModelProto, metadata: Mapping[str, str], path: Path) -> None:
    """Write an ONNX graph with its metadata."""
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, dict(metadata))
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def parity(model: keras.Model, classifier: Classifier, crops: NDArray[np.uint8]) -> float:
    """Largest difference between a logit of Keras and of ONNX over crops (n, size, size)."""
    expected = model.predict_on_batch(network_input(crops))
    found = dict(zip(HEADS, classifier.logits(crops), strict=True))
    return max(float(np.abs(expected[head] - found[head]).max()) for head in HEADS)
