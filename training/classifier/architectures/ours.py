"""The network that ships, and one that only teaches it."""

from __future__ import annotations

import keras
from keras import layers

from training.classifier.architectures.parts import Heads, convolution, logits, normalised, pixels, scaled


def mien(heads: Heads, dropout: float) -> keras.Model:
    """Eight 3x3 convolutions, 32 to 256 filters, at four resolutions; 1.2 million parameters.

    It sees the middle 44 of 48 pixels: the outermost two are hair, ears and what is behind them.
    """
    picture = pixels(48)
    x = layers.Cropping2D(2, name="middle")(scaled(picture))
    for level, filters in enumerate((32, 64, 128, 256), start=1):
        if level > 1:
            x = layers.MaxPooling2D(name=f"pool{level - 1}")(x)
        for part in "ab":
            x = convolution(x, filters, f"{level}{part}")
    return _answered(picture, x, heads, dropout, "mien")


def residual(heads: Heads, dropout: float) -> keras.Model:
    """A residual network (He et al. 2016): fourteen 3x3 convolutions, 32 to 512 filters; 11 million weights.

    Too slow for many cameras: it is there to teach. It sees the pixels that `mien` sees.
    """
    picture = pixels(48)
    x = layers.Cropping2D(2, name="middle")(scaled(picture))
    x = convolution(convolution(x, 32, "0a"), 64, "0b")
    for level, filters in enumerate((128, 256, 512), start=1):
        x = layers.MaxPooling2D(name=f"pool{level - 1}")(x)
        for part in "ab":
            x = _block(x, filters, f"{level}{part}")
    return _answered(picture, x, heads, dropout, "residual")


def _block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Two convolutions, and a way past them."""
    past = x if x.shape[-1] == filters else normalised(x, filters, f"{name}past", kernel=1)
    x = normalised(convolution(x, filters, f"{name}1"), filters, f"{name}2")
    return layers.ReLU(name=f"relu{name}")(layers.Add(name=f"add{name}")([past, x]))


def _answered(
    picture: keras.KerasTensor, x: keras.KerasTensor, heads: Heads, dropout: float, name: str
) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(picture, logits(x, heads), name=name)
