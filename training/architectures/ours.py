"""The network that ships."""

from __future__ import annotations

import keras
from keras import layers

from training.architectures.parts import Heads, convolution, logits, pixels, scaled


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
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(picture, logits(x, heads), name="mien")
