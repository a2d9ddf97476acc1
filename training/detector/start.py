"""Weights to start from: those of another detector, as far as they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from training.detector.network import HALF_RANGE
from training.detector.onnx_file import read_onnx
from training.errors import RunError
from training.runs.run_folder import ONNX_FILES

Floats = NDArray[np.float32]

_LAYER = re.compile(r"/(?P<name>\w+?(?:_conv|_score|_box))(?:_\d+)?/")
CALIBRATION_BATCH = 32


class Convolution(NamedTuple):
    """One convolution with its normalisation folded in: kernel (h, w, in, out), bias (out,)."""

    kernel: Floats
    bias: Floats


def read_convolutions(path: Path) -> dict[str, Convolution]:
    """The convolutions of a detector's float32 ONNX file by the names of their layers.

    Raises RunError for a file that cannot be read or holds none, such as one in INT8.
    """
    graph = read_onnx(path).graph
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    found = {}
    for node in graph.node:
        name = _LAYER.search(node.input[1]) if node.op_type == "Conv" else None
        if name and len(node.input) == 3 and {node.input[1], node.input[2]} <= arrays.keys():
            kernel, bias = (arrays[each].astype(np.float32) for each in node.input[1:])
            found[name["name"]] = Convolution(kernel.transpose(2, 3, 1, 0), bias.ravel())
    if not found:
        raise RunError(f"{path}: holds no convolutions of a detector in float32; pass a detector.onnx")
    return found


def start_file(path: Path) -> Path:
    """The ONNX file to start from: `path` itself, or the file that a run exported into the folder `path`."""
    return path / ONNX_FILES["float32"] if path.is_dir() else path


def read_start(path: Path) -> dict[str, Convolution]:
    """The convolutions of an ONNX file, or of the one that a run exported; raises RunError."""
    return read_convolutions(start_file(path))


def start_from(model: keras.Model, given: Mapping[str, Convolution], pictures: Floats) -> list[str]:
    """Give a new network what another one knows; returns the layers that got something.

    Where a layer has more filters than the given one, these come first, and the others start at random
    with zero weight in the next layer. A layer added between two of the same width starts as the identity.
    Where the shapes fit, the outputs equal those of the other network. `pictures` (n, h, w, 1) float32,
    -1 to 1, give the statistics of the normalisation layers.
    """
    taken = []
    first = "more1"
    known = {name.replace("_more_", f"_{first}_"): layer for name, layer in given.items()}
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D):
            continue
        kernel = np.array(layer.kernel)
        source = known.get(layer.name)
        if source is not None:
            kernel, bias = _widened(kernel, source)
            taken.append(layer.name)
        elif kernel.shape[2] == kernel.shape[3]:
            kernel, bias = _identity(kernel), np.zeros(kernel.shape[3], np.float32)
        else:
            continue
        layer.kernel.assign(kernel)
        if layer.use_bias:
            layer.bias.assign(bias)
        else:
            _set_normalisation(_normalisation(model, layer), 0.0, 1.0, 1.0, bias)
    _calibrate(model, pictures)
    return taken


def scaled(pixels: NDArray[np.uint8]) -> Floats:
    """Grey pictures (n, h, w) as the network takes them, (n, h, w, 1)."""
    return (pixels.astype(np.float32) / HALF_RANGE - 1)[..., None]


def _widened(kernel: Floats, source: Convolution) -> tuple[Floats, Floats]:
    inputs, outputs = (min(kernel.shape[axis], source.kernel.shape[axis]) for axis in (2, 3))
    kernel[:, :, :, :outputs] = 0.0
    kernel[:, :, :inputs, :outputs] = source.kernel[:, :, :inputs, :outputs]
    bias = np.zeros(kernel.shape[3], np.float32)
    bias[:outputs] = source.bias[:outputs]
    return kernel, bias


def _identity(kernel: Floats) -> Floats:
    same = np.zeros_like(kernel)
    same[kernel.shape[0] // 2, kernel.shape[1] // 2] = np.eye(kernel.shape[2])
    return same


def _normalisation(model: keras.Model, layer: keras.layers.Layer) -> keras.layers.BatchNormalization:
    return model.get_layer(layer.name.removesuffix("_conv") + "_norm")


def _set_normalisation(
    layer: keras.layers.BatchNormalization,
    mean: Floats | float,
    variance: Floats | float,
    gamma: Floats | float,
    beta: Floats,
) -> None:
    for variable, value in (
        (layer.moving_mean, mean),
        (layer.moving_variance, variance),
        (layer.gamma, gamma),
        (layer.beta, beta),
    ):
        variable.assign(np.broadcast_to(np.asarray(value, np.float32), variable.shape))


def _calibrate(model: keras.Model, pictures: Floats) -> None:
    """Make every normalisation undo itself: what it does stays, while its statistics become true."""
    layers = [each for each in model.layers if isinstance(each, keras.layers.Conv2D) and not each.use_bias]
    outputs = keras.Model(model.input, [layer.output for layer in layers])
    sums = [np.zeros((2, layer.filters)) for layer in layers]
    count = [0] * len(layers)
    for first in range(0, len(pictures), CALIBRATION_BATCH):
        found = outputs(pictures[first : first + CALIBRATION_BATCH], training=False)
        for index, each in enumerate(found):
            values = np.asarray(keras.ops.cast(each, "float32"), np.float64).reshape(-1, each.shape[-1])
            sums[index] += values.sum(axis=0), (values**2).sum(axis=0)
            count[index] += len(values)
    for layer, total, n in zip(layers, sums, count, strict=True):
        norm = _normalisation(model, layer)
        mean, variance = total[0] / n, np.maximum(total[1] / n - (total[0] / n) ** 2, 0.0)
        old_mean, old_variance = np.array(norm.moving_mean), np.array(norm.moving_variance)
        factor = np.array(norm.gamma) / np.sqrt(old_variance + norm.epsilon)
        _set_normalisation(
            norm,
            mean,
            variance,
            factor * np.sqrt(variance + norm.epsilon),
            np.array(norm.beta) + factor * (mean - old_mean),
        )
