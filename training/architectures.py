"""The face classifiers that can be trained, by name.

Each takes grey pixels 0..255 (n, size, size, 1) and returns a dict of logits, one entry per head.
Every layer is named: weights are stored and exported under these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
from keras import layers

from training.errors import UnknownArchitecture
from training.layers import FusedBatchNormalization

Heads = Mapping[str, int]
"""Number of classes of each head, by head name."""


@dataclass(frozen=True)
class Architecture:
    """How to build one network: `build(heads, dropout)` for square inputs of `size` pixels."""

    size: int
    build: Callable[[Heads, float], keras.Model]


def build(name: str, heads: Heads, dropout: float) -> keras.Model:
    """A new network of the named architecture; raises UnknownArchitecture."""
    return architecture(name).build(heads, dropout)


def architecture(name: str) -> Architecture:
    """The named architecture; raises UnknownArchitecture."""
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UnknownArchitecture(f"architecture {name!r} is unknown; known: {known}")
    return ARCHITECTURES[name]


def paper_cnn(heads: Heads, dropout: float) -> keras.Model:
    """Three convolutions, two max-pools, two fully connected layers; 1.2 million parameters."""
    pixels = keras.Input((48, 48, 1), name="pixels")
    x = _scaled(pixels)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = layers.Conv2D(128, 3, activation="relu", name="conv3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout1")(x)
    x = layers.Dense(128, activation="relu", name="fc1")(x)
    x = layers.Dense(64, activation="relu", name="fc2")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    return keras.Model(pixels, _logits(x, heads), name="paper_cnn")


def mien(heads: Heads, dropout: float) -> keras.Model:
    """Eight 3x3 convolutions, 32 to 256 filters, at four resolutions; 1.2 million parameters.

    It sees the middle 44 of 48 pixels: the outermost two are hair, ears and what is behind them.
    """
    pixels = keras.Input((48, 48, 1), name="pixels")
    x = layers.Cropping2D(2, name="middle")(_scaled(pixels))
    for level, filters in enumerate((32, 64, 128, 256), start=1):
        if level > 1:
            x = layers.MaxPooling2D(name=f"pool{level - 1}")(x)
        for part in "ab":
            x = _convolution(x, filters, f"{level}{part}")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(pixels, _logits(x, heads), name="mien")


def _convolution(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{name}")(x)
    x = FusedBatchNormalization(name=f"norm{name}")(x)
    return layers.ReLU(name=f"relu{name}")(x)


def _scaled(pixels: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(pixels)


def _logits(features: keras.KerasTensor, heads: Heads) -> dict[str, keras.KerasTensor]:
    # float32 whatever the precision of the trunk: the losses need it.
    return {
        name: layers.Dense(classes, dtype="float32", name=name)(features) for name, classes in heads.items()
    }


ARCHITECTURES = {
    "mien": Architecture(size=48, build=mien),
    "paper_cnn": Architecture(size=48, build=paper_cnn),
}
