"""Weights to start from: those of another detector, as far as they fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.detector.network import HALF_RANGE
from training.errors import RunError
from training.runs.folded import (
    Convolution,
    Floats,
    read_convolutions,
    restore_statistics,
    set_convolution,
)
from training.runs.onnx_file import start_file

_LAYER = re.compile(r"/(?P<name>\w+?(?:_conv|_score|_box))(?:_\d+)?/")


def read_detector(path: Path) -> dict[str, Convolution]:
    """The convolutions of a detector's float32 ONNX file by the names of their layers.

    Raises RunError for a file that cannot be read or holds none, such as one in INT8.
    """
    found = read_convolutions(path, _LAYER)
    if not found:
        raise RunError(f"{path}: holds no convolutions of a detector in float32; pass a detector.onnx")
    return found


def read_start(path: Path) -> dict[str, Convolution]:
    """The convolutions of an ONNX file, or of the one that a run exported; raises RunError."""
    return read_detector(start_file(path))


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
        norm = None if layer.use_bias else model.get_layer(_norm_name(layer.name))
        set_convolution(layer, norm, Convolution(kernel, bias))
    restore_statistics(model, _norm_name, pictures)
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


def _norm_name(convolution: str) -> str:
    return convolution.removesuffix("_conv") + "_norm"
