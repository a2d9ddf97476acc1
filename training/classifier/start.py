"""Weights to start from: those of an exported classifier, such as the one that ships."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import onnx

from training.data.datasets import HEADS
from training.errors import RunError
from training.runs.folded import Convolution, Floats, read_convolutions, restore_statistics, set_convolution
from training.runs.onnx_file import read_onnx, start_file

_LAYER = re.compile(r"/(?P<name>conv\w+?)_\d+/")
_HEAD = re.compile(r"/(?P<name>\w+?)_\d+/")


def start_from(model: keras.Model, path: Path, pictures: Floats) -> None:
    """Give a new network the weights of a float32 ONNX file, or of the one that the run `path` exported.

    `pictures` (n, size, size, 1) float32 0..255 give the statistics of the normalisation layers. A head
    that the file lacks keeps its random weights. Raises RunError for a file that cannot be read, or whose
    convolutions are not those of `model`, and for a network with other layers between these and its heads.
    """
    file = start_file(path)
    _refuse_other_layers(model, file)
    given = read_convolutions(file, _LAYER)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in layers:
        if layer.name not in given or given[layer.name].kernel.shape != layer.kernel.shape:
            raise RunError(
                f"{file}: holds no convolution {layer.name} of {model.name} in float32; "
                "pass a file of the same architecture"
            )
        norm = None if layer.use_bias else model.get_layer(_norm_name(layer.name))
        set_convolution(layer, norm, given[layer.name])
    for name, head in _read_heads(file).items():
        if name in model.output_names:
            model.get_layer(name).set_weights([head.kernel, head.bias])
    restore_statistics(model, _norm_name, pictures)


def _refuse_other_layers(model: keras.Model, file: Path) -> None:
    """Raise RunError for layers whose weights would stay random below heads that were trained with them."""
    taken = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    others = [
        layer.name
        for layer in model.layers
        if layer.weights and layer.name not in HEADS and not isinstance(layer, taken)
    ]
    if others:
        raise RunError(
            f"{file}: the weights of {', '.join(others)} of {model.name} cannot be taken from an ONNX file; "
            "use --trunk with the run's folder"
        )


def _read_heads(file: Path) -> dict[str, Convolution]:
    """The dense layers of the heads by name: kernel (in, classes), bias (classes,)."""
    graph = read_onnx(file).graph
    arrays = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    added = {node.input[0]: node.input[1] for node in graph.node if node.op_type == "Add"}
    found = {}
    for node in graph.node:
        name = _HEAD.search(node.input[1]) if node.op_type == "MatMul" else None
        if name is not None and name["name"] in HEADS:
            kernel = np.asarray(arrays[node.input[1]], np.float32)
            # The exporter leaves out a bias of zeros.
            bias = arrays.get(added.get(node.output[0], ""), np.zeros(kernel.shape[1]))
            found[name["name"]] = Convolution(kernel, np.asarray(bias, np.float32))
    return found


def _norm_name(convolution: str) -> str:
    return convolution.replace("conv", "norm", 1)
