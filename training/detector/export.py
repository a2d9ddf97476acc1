"""A trained detector as ONNX: boxes decoded in the graph, metadata inside, proven equal to Keras."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from inference.detector import Detector, ScoreLevels
from inference.model_file import load_model
from training.classifier.export import OPSET, save
from training.detector.levels import measure_levels
from training.detector.network import HALF_RANGE
from training.detector.provenance import DATASETS, data_sources
from training.detector.synthesis import Synthesis
from training.detector.targets import FINEST_STRIDE, SIZE_UNIT, strides
from training.detector.train import MODEL_FILE, load_synthesis, read_config
from training.errors import ExportError, RunError
from training.runs.quantise import quantise
from training.runs.run_folder import ONNX_FILES, replacing

LICENCE = "Apache-2.0 for the file; some training photographs are for research use"
NMS_OVERLAP = 0.4
CALIBRATION_SAMPLES = 256
UNMEASURED = ScoreLevels(0.0, 0.5, 1.0)
"""The levels of a file until they are measured."""
_SCORE_TOLERANCE, _BOX_TOLERANCE = 1e-5, 1e-4
"""How far ONNX may be from Keras: in scores, and in boxes as a share of their longer side."""


def export_run(run: Path, data: Path, version: str = "1") -> tuple[Path, Path]:
    """Write a run's detector in float32 and in INT8, each with the score levels measured on it.

    Raises RunError, DatasetError or ExportError.
    """
    config = read_config(run)
    if not (run / MODEL_FILE).is_file():
        raise RunError(f"{run}: has no {MODEL_FILE} yet; let `mien train detector fit` end first")
    model = keras.models.load_model(run / MODEL_FILE, compile=False)
    fields = metadata(model.name, run.name, config.size, version, data_sources(config))
    with replacing(run / ONNX_FILES["float32"]) as exact, replacing(run / ONNX_FILES["int8"]) as small:
        export(model, fields, exact, config.finest_stride)
        quantise(exact, small, calibration_pictures(load_synthesis(data, config.size)))
        for path in (exact, small):
            write_levels(path, measure_levels(Detector(path, own=True), data))
    return run / ONNX_FILES["float32"], run / ONNX_FILES["int8"]


def export(
    model: keras.Model, fields: Mapping[str, str], path: Path, finest_stride: int = FINEST_STRIDE
) -> None:
    """Write the network, whose finest grid has that stride, as ONNX and compare it with Keras.

    Input: uint8 (n, h, w, 1), h and w multiples of 32. Outputs: scores (n, cells), boxes (n, cells, 4) as
    x, y, w, h in input pixels. Raises ExportError, and removes the file, where they differ.
    """
    signature = [tf.TensorSpec((None, None, None, 1), tf.uint8, name="pixels")]

    def network(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        # Scaled before the channel axis is added: onnxruntime walks a last axis of 1 element by
        # element, which takes longer than the network.
        scaled = tf.cast(pixels[..., 0], tf.float32) / HALF_RANGE - 1
        codes = model(scaled[..., None], training=False)
        shape = tf.shape(pixels)
        centre, stride = _cells(shape[1], shape[2], finest_stride)
        size = tf.exp(tf.clip_by_value(codes[..., 3:], -4.0, 4.0)) * stride * SIZE_UNIT
        corner = codes[..., 1:3] * stride + centre - size / 2
        scores = tf.sigmoid(codes[..., 0])
        return {
            "scores": tf.identity(scores, name="scores"),
            "boxes": tf.concat([corner, size], axis=-1, name="boxes"),
        }

    traced = tf.function(network, input_signature=signature)
    graph, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=OPSET)
    save(graph, fields, path)
    _check(traced, path)


def metadata(
    name: str, run: str, size: int, version: str, sources: Sequence[str] = DATASETS
) -> dict[str, str]:
    """The metadata of the file: the fields that `inference.detector` reads, levels not yet measured.

    `sources` are the sets that the detector learned from.
    """
    return {
        "task": "detector",
        "name": name,
        "version": version,
        "run": run,
        "datasets": json.dumps(sources),
        "licence": LICENCE,
        "colour": "grey",
        "input_size": json.dumps([size, size]),
        "nms_overlap": str(NMS_OVERLAP),
    } | level_fields(UNMEASURED)


def write_levels(path: Path, levels: ScoreLevels) -> None:
    """Replace the score levels that an ONNX file carries."""
    model = onnx.load(path)
    fields = {entry.key: entry.value for entry in model.metadata_props}
    save(model, fields | level_fields(levels), path)


def calibration_pictures(synthesis: Synthesis) -> list[NDArray[np.uint8]]:
    """Pictures (1, s, s, 1) of all kinds that the detector was trained on."""
    rng = np.random.default_rng(0)
    return [synthesis.sample(rng).pixels[None, :, :, None] for _ in range(CALIBRATION_SAMPLES)]


def level_fields(levels: ScoreLevels) -> dict[str, str]:
    """The metadata fields of score levels."""
    return {f"{name}_score": str(score) for name, score in asdict(levels).items()}


def _check(traced: tf.types.experimental.PolymorphicFunction, path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 96, 160, 1), np.uint8)
    expected = traced(pixels)
    session = load_model(path, "detector", own=True).session
    scores, boxes = session.run(["scores", "boxes"], {"pixels": pixels})
    score_error = float(np.abs(scores - expected["scores"].numpy()).max())
    wanted = expected["boxes"].numpy()
    sides = np.maximum(wanted[..., 2:].max(axis=-1, keepdims=True), 1.0)
    box_error = float((np.abs(boxes - wanted) / sides).max())
    if score_error > _SCORE_TOLERANCE or box_error > _BOX_TOLERANCE:
        path.unlink()
        raise ExportError(
            f"{path}: differs from Keras by {score_error:.1e} in scores and {box_error:.1e} of a box"
        )


def _cells(height: tf.Tensor, width: tf.Tensor, finest_stride: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Centres and strides (cells, 2), both for x and y, in the order of `targets.cells`."""
    centres, sides = [], []
    for stride in strides(finest_stride):
        y = (tf.cast(tf.range(height // stride), tf.float32) + 0.5) * stride
        x = (tf.cast(tf.range(width // stride), tf.float32) + 0.5) * stride
        grid_x, grid_y = tf.meshgrid(x, y)
        centre = tf.stack([tf.reshape(grid_x, [-1]), tf.reshape(grid_y, [-1])], axis=1)
        centres.append(centre)
        sides.append(tf.fill(tf.shape(centre), float(stride)))
    return tf.concat(centres, axis=0), tf.concat(sides, axis=0)
