"""A trained run as ONNX files with their metadata: one proven equal to the Keras model, and its INT8 twin."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from inference.classifier import Head
from inference.model_file import session_options
from training.classifier.inputs import fairface_pictures, fer_pictures, network_input
from training.classifier.validation import calibrate, keras_logits, load_keras, load_pictures, outputs
from training.data import datasets
from training.data.importers import load_fairface, load_fer2013
from training.errors import ExportError
from training.runs.folder import MODEL_FILE, ONNX_FILES, read_config
from training.runs.quantise import quantise

OPSET = 17
TOLERANCE = 1e-5
PARITY_CROPS = 256
RANGE_CROPS = 512
"""Training faces of each data set that show the INT8 file what range activations have."""
SOURCES = ("FER2013", "FER+", "FairFace")
LICENCE = "Apache-2.0 for the file; trained on FER2013, which is for research use"


def export_run(run: Path, data: Path, cache: Path, version: str) -> tuple[Path, float]:
    """Calibrate a run's model, write it as ONNX, compare both on 256 real crops, and quantise it.

    Returns the float32 file and the largest difference of a logit. Raises RunError, DatasetError, or
    ExportError where that file differs from Keras by more than 1e-5.
    """
    config = read_config(run)
    model = load_keras(run / MODEL_FILE)
    size = model.input_shape[1]
    pictures = load_pictures("validation", data, cache, size)
    heads = calibrate(outputs(keras_logits(model), pictures), pictures)
    half = PARITY_CROPS // 2
    crops = np.concatenate([pictures.face_crops[:half], pictures.person_crops[:half]])
    target = run / ONNX_FILES["float32"]
    difference = export(model, metadata(config.arch, version, run.name, size, heads), target, crops)
    quantise(target, run / ONNX_FILES["int8"], training_crops(data, cache, size))
    return target, difference


def training_crops(data: Path, cache: Path, size: int) -> Iterator[NDArray[np.uint8]]:
    """Batches (n, size, size, 1) uint8 of faces that training saw, from both data sets in turn."""
    faces = datasets.unseen(load_fer2013(data, cache))
    people = load_fairface(data, cache, "train")
    people = people.rows(np.flatnonzero(~people.held_out())[:RANGE_CROPS])
    faces = faces.rows(np.arange(len(faces.images))[:RANGE_CROPS])
    for crops in (fer_pictures(faces, size), fairface_pictures(people, size)):
        yield from np.array_split(crops[..., None], max(1, len(crops) // 32))


def metadata(name: str, version: str, run: str, size: int, heads: Mapping[str, Head]) -> dict[str, str]:
    """What the file says of itself: the fields that `inference.classifier` reads."""
    common = {
        "task": "classifier",
        "name": name,
        "version": version,
        "run": run,
        "datasets": json.dumps(SOURCES),
        "licence": LICENCE,
        "colour": "grey",
        "input_size": json.dumps([size, size]),
    }
    for head, content in heads.items():
        common[f"{head}_labels"] = json.dumps(content.labels)
        common[f"{head}_temperature"] = str(content.temperature)
        common[f"{head}_unknown_below"] = str(content.unknown_below)
    return common


def export(model: keras.Model, fields: Mapping[str, str], path: Path, crops: NDArray[np.uint8]) -> float:
    """Write a network as ONNX; the largest difference of a logit from Keras on crops.

    Input: uint8 pixels as the network takes them, scaled inside the graph; outputs: float32 logits, one per
    head, under the head's name. Raises ExportError, and removes the file, above 1e-5.
    """
    signature = [tf.TensorSpec(model.input_shape, tf.uint8, name="pixels")]

    def network(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        found = model(tf.cast(pixels, tf.float32), training=False)
        return {head: tf.identity(logits, name=head) for head, logits in found.items()}

    traced = tf.function(network, input_signature=signature)
    graph, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=OPSET)
    save(graph, fields, path)
    difference = parity(model, path, crops)
    if difference > TOLERANCE:
        path.unlink()
        raise ExportError(f"{path}: logits differ from Keras by {difference:.1e} > {TOLERANCE}")
    return difference


def save(graph: onnx.ModelProto, fields: Mapping[str, str], path: Path) -> None:
    """Write an ONNX graph with its metadata."""
    onnx.helper.set_model_props(graph, dict(fields))
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def parity(model: keras.Model, path: Path, crops: NDArray[np.uint8]) -> float:
    """Largest difference between a logit of Keras and of an ONNX file over crops, or clips."""
    expected = model.predict_on_batch(network_input(crops))
    session = ort.InferenceSession(path, session_options(threads=1))
    heads = [output.name for output in session.get_outputs()]
    found = dict(zip(heads, session.run(heads, {"pixels": crops[..., None]}), strict=True))
    return max(float(np.abs(logits - found[head]).max()) for head, logits in expected.items())
