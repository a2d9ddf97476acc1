"""Convolutions with their normalisation folded in, as exported files hold them, and back into a network."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from training.runs.onnx_file import read_onnx

Floats = NDArray[np.float32]

CALIBRATION_BATCH = 32


class Convolution(NamedTuple):
    """One convolution with its normalisation folded in: kernel (h, w, in, out), bias (out,)."""

    kernel: Floats
    bias: Floats


def read_convolutions(path: Path, layer: re.Pattern[str]) -> dict[str, Convolution]:
    """The convolutions of a float32 ONNX file by the names of their layers.

    The group `name` of `layer` finds the name in that of the kernel's array; other convolutions are left
    out, as are those in INT8. Raises RunError for a file that cannot be read.
    """
    graph = read_onnx(path).graph
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    found = {}
    for node in graph.node:
        name = layer.search(node.input[1]) if node.op_type == "Conv" else None
        if name and len(node.input) == 3 and {node.input[1], node.input[2]} <= arrays.keys():
            kernel, bias = (arrays[each].astype(np.float32) for each in node.input[1:])
            found[name["name"]] = Convolution(kernel.transpose(2, 3, 1, 0), bias.ravel())
    return found


def set_convolution(
    layer: keras.layers.Conv2D, norm: keras.layers.BatchNormalization | None, folded: Convolution
) -> None:
    """Give a layer a folded convolution; its normalisation, if it has one, adds the bias."""
    layer.kernel.assign(folded.kernel)
    if norm is None:
        layer.bias.assign(folded.bias)
    else:
        _set_normalisation(norm, 0.0, 1.0, np.sqrt(1.0 + norm.epsilon), folded.bias)


def restore_statistics(model: keras.Model, norm_name: Callable[[str], str], pictures: Floats) -> None:
    """Give every normalisation after a convolution the statistics of `pictures`, and unchanged outputs.

    `pictures` (n, h, w, 1) float32 are the network's input; `norm_name` maps the name of a convolution to
    that of its normalisation.
    """
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
        norm = model.get_layer(norm_name(layer.name))
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
