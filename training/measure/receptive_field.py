"""Positions of a network's feature-map cells in the input picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from training.errors import ExplainError


@dataclass(frozen=True)
class Grid:
    """Cell i of a map, along either axis, is centred on pixel `first + i * step` of the picture."""

    first: float
    step: float


def last_map(model: keras.Model, head: str) -> keras.layers.Layer:
    """The last layer before a head that has several feature maps.

    Its output is (n, height, width, features) or, for clips, (n, frames, height, width, features). Raises
    ExplainError for a network without one.
    """
    for layer in _layers_before(model, model.get_layer(head)):
        shape = layer.output.shape
        if len(shape) >= 4 and min(shape[-3:-1]) > 1 and shape[-1] > 1:
            return layer
    raise ExplainError(
        f"{model.name}: no layer before {head!r} has feature maps; use a convolutional network"
    )


def grid(model: keras.Model, layer: keras.layers.Layer) -> Grid:
    """The positions of a layer's cells: the centres of their receptive fields, ignoring the picture's edge.

    Strides and paddings of the layers before it are followed along one path; networks are square, and all
    paths have the same positions. Raises ExplainError for a layer with an unknown effect on positions.
    """
    first, step = 0.0, 1.0
    for each in reversed([layer, *_layers_before(model, layer)]):
        offset, stride = _offset_and_stride(each)
        first, step = first + offset * step, step * stride
    return Grid(first, step)


def _layers_before(model: keras.Model, layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layers before one, nearest first; with several inputs, along the first."""
    producers = {id(each.output): each for each in model.layers}
    while not isinstance(layer, keras.layers.InputLayer):
        tensor = layer.input[0] if isinstance(layer.input, list) else layer.input
        layer = producers[id(tensor)]
        yield layer


def _offset_and_stride(layer: keras.layers.Layer) -> tuple[float, float]:
    """Offset of a layer's first cell from its input's first, in cells of the input, and its stride."""
    if isinstance(layer, keras.layers.InputLayer):
        return 0.0, 1
    before = layer.input[0] if isinstance(layer.input, list) else layer.input
    inner = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
    if isinstance(inner, keras.layers.Cropping2D):
        return float(inner.cropping[0][0]), 1
    if isinstance(inner, keras.layers.UpSampling2D):
        # The edges of the enlarged map are those of its input.
        return (1 / inner.size[0] - 1) / 2, 1 / inner.size[0]
    window = getattr(inner, "kernel_size", None) or getattr(inner, "pool_size", None)
    if window is None:
        if layer.output.shape[-2] != before.shape[-2]:
            raise ExplainError(f"layer {layer.name!r} changes the size of maps in an unknown way")
        return 0.0, 1
    size, kernel, stride = before.shape[-2], window[0], inner.strides[0]
    middle = (kernel - 1) / 2
    if inner.padding == "valid":
        return middle, stride
    # TensorFlow's "same" padding: an odd cell is added at the end.
    added = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return middle - added // 2, stride
