"""What the networks have in common: their input, their convolutions, their heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
from keras import layers

from training.runs.layers import FusedBatchNormalization

Heads = Mapping[str, int]
"""Number of classes of each head, by head name."""


def pixels(size: int, frames: int | None = None) -> keras.KerasTensor:
    """The input: grey pixels 0..255 (n, size, size, 1), or clips (n, frames, size, size, 1) of them."""
    clip = () if frames is None else (frames,)
    return keras.Input((*clip, size, size, 1), name="pixels")


def scaled(x: keras.KerasTensor) -> keras.KerasTensor:
    """Pixels as numbers from -1 to 1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(x)


def convolution(x: keras.KerasTensor, filters: int, name: str, kernel: int = 3) -> keras.KerasTensor:
    """A convolution of the same width and height, normalised by the batch, cut off at zero."""
    return layers.ReLU(name=f"relu{name}")(normalised(x, filters, name, kernel))


def normalised(x: keras.KerasTensor, filters: int, name: str, kernel: int = 3) -> keras.KerasTensor:
    """A convolution of the same width and height, normalised by the batch."""
    x = layers.Conv2D(filters, kernel, padding="same", use_bias=False, name=f"conv{name}")(x)
    return FusedBatchNormalization(name=f"norm{name}")(x)


Wrap = Callable[[layers.Layer], layers.Layer]
"""How a layer is applied: as it is, or to each frame of a clip."""


def as_it_is(layer: layers.Layer) -> layers.Layer:
    """The layer itself."""
    return layer


def two_convolutions(x: keras.KerasTensor, wrap: Wrap = as_it_is) -> keras.KerasTensor:
    """Two convolutions, of 32 and 64 filters, with a max-pool each."""
    for number, filters in enumerate((32, 64), start=1):
        x = wrap(layers.Conv2D(filters, 3, activation="relu", name=f"conv{number}"))(x)
        x = wrap(layers.MaxPooling2D(name=f"pool{number}"))(x)
    return x


def logits(features: keras.KerasTensor, heads: Heads) -> dict[str, keras.KerasTensor]:
    """One linear output for each head, in float32 whatever the precision of the trunk: losses need it."""
    return {
        name: layers.Dense(classes, dtype="float32", name=name)(features) for name, classes in heads.items()
    }


def pooled_logits(maps: keras.KerasTensor, heads: Heads) -> dict[str, keras.KerasTensor]:
    """As `logits`, from the mean of one map for each class: a 3 x 3 convolution in place of a dense layer."""
    found = {}
    for name, classes in heads.items():
        x = layers.Conv2D(classes, 3, padding="same", dtype="float32", name=f"{name}_maps")(maps)
        found[name] = layers.GlobalAveragePooling2D(dtype="float32", name=name)(x)
    return found
