"""Parts that the networks share: input, convolutions, heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
from keras import layers

from training.runs.layers import FusedBatchNormalization

Heads = Mapping[str, int]
"""Number of classes of each head, by head name."""


def pixel_input(size: int, frames: int | None = None) -> keras.KerasTensor:
    """The input: grey pixels 0..255 (n, size, size, 1), or clips (n, frames, size, size, 1) of them."""
    clip = () if frames is None else (frames,)
    return keras.Input((*clip, size, size, 1), name="pixels")


def rescale(x: keras.KerasTensor) -> keras.KerasTensor:
    """Scale pixels to -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)


def convolution(x: keras.KerasTensor, filters: int, name: str, kernel: int = 3) -> keras.KerasTensor:
    """Convolution with \"same\" padding, batch normalisation and ReLU."""
    return layers.ReLU(name=f"relu{name}")(convolution_and_norm(x, filters, name, kernel))


def convolution_and_norm(x: keras.KerasTensor, filters: int, name: str, kernel: int = 3) -> keras.KerasTensor:
    """Convolution with \"same\" padding and batch normalisation."""
    x = layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=f"conv{name}")(x)
    return FusedBatchNormalization(name=f"norm{name}")(x)


Wrap = Callable[[layers.Layer], layers.Layer]
"""How a layer is applied: directly, or to each frame of a clip."""


def unwrapped(layer: layers.Layer) -> layers.Layer:
    """The layer itself."""
    return layer


def two_convolutions(x: keras.KerasTensor, wrap: Wrap = unwrapped) -> keras.KerasTensor:
    """Two convolutions with 32 and 64 filters, each followed by a max-pool."""
    for number, filters in enumerate((32, 64), start=1):
        x = wrap(layers.Conv2D(filters, 3, activation="relu", name=f"conv{number}"))(x)
        x = wrap(layers.MaxPooling2D(name=f"pool{number}"))(x)
    return x


def logits(features: keras.KerasTensor, heads: Heads) -> dict[str, keras.KerasTensor]:
    """One linear output per head, always in float32, which the losses need."""
    return {
        name: layers.Dense(classes, dtype="float32", name=name)(features) for name, classes in heads.items()
    }


def pooled_logits(maps: keras.KerasTensor, heads: Heads) -> dict[str, keras.KerasTensor]:
    """Like `logits`, but each class is the mean of one feature map from a 3 x 3 convolution."""
    found = {}
    for name, classes in heads.items():
        x = layers.Conv2D(classes, 3, padding="same", dtype="float32", name=f"{name}_maps")(maps)
        found[name] = layers.GlobalAveragePooling2D(dtype="float32", name=name)(x)
    return found
