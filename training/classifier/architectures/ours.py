"""The network that ships, and the network that is only its teacher."""

from __future__ import annotations

import keras
from keras import layers

from training.classifier.architectures.parts import (
    Heads,
    convolution,
    convolution_and_norm,
    logits,
    pixel_input,
    rescale,
)


def mien(heads: Heads, dropout: float) -> keras.Model:
    """Eight 3x3 convolutions, 32 to 256 filters, at four resolutions; 1.2 million parameters.

    It uses the middle 44 of 48 pixels: the outer two show hair, ears and background.
    """
    picture = pixel_input(48)
    x = layers.Cropping2D(2, name="middle")(rescale(picture))
    for level, filters in enumerate((32, 64, 128, 256), start=1):
        if level > 1:
            x = layers.MaxPooling2D(name=f"pool{level - 1}")(x)
        for part in "ab":
            x = convolution(x, filters, f"{level}{part}")
    return _classify(picture, x, heads, dropout, "mien")


def residual(heads: Heads, dropout: float) -> keras.Model:
    """A residual network (He et al. 2016): fourteen 3x3 convolutions, 32 to 512 filters; 11 million weights.

    It is too slow for many cameras and serves as a teacher. It uses the same pixels as `mien`.
    """
    picture = pixel_input(48)
    x = layers.Cropping2D(2, name="middle")(rescale(picture))
    x = convolution(convolution(x, 32, "0a"), 64, "0b")
    for level, filters in enumerate((128, 256, 512), start=1):
        x = layers.MaxPooling2D(name=f"pool{level - 1}")(x)
        for part in "ab":
            x = _block(x, filters, f"{level}{part}")
    return _classify(picture, x, heads, dropout, "residual")


def _block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """A residual block: two convolutions and a shortcut."""
    past = x if x.shape[-1] == filters else convolution_and_norm(x, filters, f"{name}past", kernel=1)
    x = convolution_and_norm(convolution(x, filters, f"{name}1"), filters, f"{name}2")
    return layers.ReLU(name=f"relu{name}")(layers.Add(name=f"add{name}")([past, x]))


def _classify(
    picture: keras.KerasTensor, x: keras.KerasTensor, heads: Heads, dropout: float, name: str
) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(picture, logits(x, heads), name=name)
