"""Export of a run to ONNX with metadata: a float32 file checked against Keras, and an INT8 file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from inference.classifier import ClassifierHead
from inference.model_file import make_session_options
from training.classifier.architectures import architecture
from training.classifier.inputs import fairface_crops, fer2013_crops, network_input
from training.classifier.recipes import UTKFACE, Config, learns_utkface, read_config
from training.classifier.validation import (
    calibrate,
    compute_outputs,
    keras_logits,
    load_evaluation_set,
    load_keras,
)
from training.data import datasets
from training.data.datasets import HEADS
from training.data.importers import load_fairface, load_fer2013
from training.errors import ExportError, RunError
from training.runs.onnx_file import read_sources
from training.runs.quantise import quantise
from training.runs.run_folder import MODEL_FILE, ONNX_FILES

OPSET = 17
TOLERANCE = 1e-5
PARITY_CROPS = 256
RANGE_CROPS = 512
"""Training faces of each data set used to calibrate the activation ranges of the INT8 file."""
SOURCES = ("FER2013", "FER+", "FairFace")
LICENCE = "Apache-2.0 for the file; trained on FER2013, which is for research use"


def export_run(run: Path, data: Path, cache: Path, version: str) -> tuple[Path, float]:
    """Calibrate a run's model, write it as ONNX, compare it with Keras on 256 real crops, and quantise it.

    Returns the float32 file and the largest difference of a logit. Raises RunError, also for a run that the
    runtime cannot use, DatasetError, or ExportError if the file differs from Keras by more than 1e-5.
    """
    config = read_config(run)
    if set(config.heads) != set(HEADS):
        raise RunError(f"{run}: was trained with --task {config.task}; the runtime needs --task both")
    if architecture(config.arch).frames is not None:
        raise RunError(f"{run}: {config.arch} takes clips; the runtime needs a network of single pictures")
    model = load_keras(run / MODEL_FILE)
    size = model.input_shape[1]
    pictures = load_evaluation_set("validation", data, cache, size)
    heads = calibrate(compute_outputs(keras_logits(model), pictures), pictures)
    half = PARITY_CROPS // 2
    crops = np.concatenate([pictures.face_crops[:half], pictures.person_crops[:half]])
    target = run / ONNX_FILES["float32"]
    fields = metadata(config.arch, version, run.name, size, heads, data_sources(config))
    difference = export(model, fields, target, crops)
    quantise(target, run / ONNX_FILES["int8"], training_crops(data, cache, size))
    return target, difference


def training_crops(data: Path, cache: Path, size: int) -> Iterator[NDArray[np.uint8]]:
    """Batches (n, size, size, 1) uint8 of training faces, first FER2013, then FairFace."""
    faces = datasets.untested_faces(load_fer2013(data, cache))
    people = load_fairface(data, cache, "train")
    people = people.rows(np.flatnonzero(~people.held_out())[:RANGE_CROPS])
    faces = faces.rows(np.arange(len(faces.images))[:RANGE_CROPS])
    for crops in (fer2013_crops(faces, size), fairface_crops(people, size)):
        yield from np.array_split(crops[..., None], max(1, len(crops) // 32))


def data_sources(config: Config) -> tuple[str, ...]:
    """All data sets that the network learns from, itself or through its start, its trunk or a teacher.

    Raises RunError for one of these that cannot be read.
    """
    started = () if config.start_from is None else read_sources(Path(config.start_from))
    added = (UTKFACE,) if learns_utkface(config) else ()
    return tuple(dict.fromkeys((*SOURCES, *started, *added)))


def metadata(
    name: str,
    version: str,
    run: str,
    size: int,
    heads: Mapping[str, ClassifierHead],
    sources: Sequence[str] = SOURCES,
) -> dict[str, str]:
    """The metadata fields of a file, which `inference.classifier` reads."""
    common = {
        "task": "classifier",
        "name": name,
        "version": version,
        "run": run,
        "datasets": json.dumps(sources),
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
    """Write a network as ONNX; returns the largest difference of a logit from Keras on crops.

    Input: uint8 pixels, scaled inside the graph. Outputs: float32 logits, one per head, under the head's
    name. If the difference is above 1e-5, removes the file and raises ExportError.
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
    """Write an ONNX graph with its metadata; creates the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.helper.set_model_props(graph, dict(fields))
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def parity(model: keras.Model, path: Path, crops: NDArray[np.uint8]) -> float:
    """Largest difference between a logit of Keras and of an ONNX file on crops or clips."""
    expected = model.predict_on_batch(network_input(crops))
    session = ort.InferenceSession(path, make_session_options(threads=1))
    heads = [output.name for output in session.get_outputs()]
    found = dict(zip(heads, session.run(heads, {"pixels": crops[..., None]}), strict=True))
    return max(float(np.abs(logits - found[head]).max()) for head, logits in expected.items())
