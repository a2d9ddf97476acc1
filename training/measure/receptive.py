"""Where the cells of a network's feature maps lie in the picture that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from training.errors import ExplainError


@dataclass(frozen=True)
class Grid:
    """Cell i of a map, along either axis, looks at pixels around `first + i * step` of the picture."""

    first: float
    step: float


def last_map(model: keras.Model, head: str) -> keras.layers.Layer:
    """The last layer on the way to a head that keeps several features apart by place.

    Its output is (n, height, width, features) or, for clips, (n, frames, height, width, features). Raises
    ExplainError for a network without one.
    """
    for layer in _back_from(model, model.get_layer(head)):
        shape = layer.output.shape
        if len(shape) >= 4 and min(shape[-3:-1]) > 1 and shape[-1] > 1:
            return layer
    raise ExplainError(
        f"{model.name}: no layer before {head!r} has feature maps; take a convolutional network"
    )


def grid(model: keras.Model, layer: keras.layers.Layer) -> Grid:
    """Where a layer's cells lie: centres of what they see, were the picture endless.

    Strides and paddings of all layers before count, along one path; networks are square and their paths
    end in the same place. Raises ExplainError for a layer whose effect on places is not known.
    """
    first, step = 0.0, 1.0
    for each in reversed([layer, *_back_from(model, layer)]):
        offset, stride = _moved(each)
        first, step = first + offset * step, step * stride
    return Grid(first, step)


def _back_from(model: keras.Model, layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layers before one, nearest first; where several meet, along the first of them."""
    makers = {id(each.output): each for each in model.layers}
    while not isinstance(layer, keras.layers.InputLayer):
        taken = layer.input[0] if isinstance(layer.input, list) else layer.input
        layer = makers[id(taken)]
        yield layer


def _moved(layer: keras.layers.Layer) -> tuple[float, int]:
    """By how many of its input's cells a layer's first cell is off the input's first, and its stride."""
    if isinstance(layer, keras.layers.InputLayer):
        return 0.0, 1
    before = layer.input[0] if isinstance(layer.input, list) else layer.input
    inner = layer.layer if isinstance(layer, keras.layers.TimeDistributed) else layer
    if isinstance(inner, keras.layers.Cropping2D):
        return float(inner.cropping[0][0]), 1
    window = getattr(inner, "kernel_size", None) or getattr(inner, "pool_size", None)
    if window is None:
        if layer.output.shape[-2] != before.shape[-2]:
            raise ExplainError(f"layer {layer.name!r} changes the size of maps in a way that is not known")
        return 0.0, 1
    size, kernel, stride = before.shape[-2], window[0], inner.strides[0]
    middle = (kernel - 1) / 2
    if inner.padding == "valid":
        return middle, stride
    # TensorFlow's "same": just enough, and the odd cell at the end.
    added = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return middle - added // 2, stride
