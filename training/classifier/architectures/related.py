"""Networks after related work, as far as its descriptions go; `training.measure.systems` names it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from training.classifier.architectures.parts import (
    Heads,
    convolution,
    logits,
    pixels,
    pooled_logits,
    scaled,
    two_convolutions,
)
from training.runs.layers import FusedBatchNormalization


def pathar(heads: Heads, dropout: float, depth: int) -> keras.Model:
    """`depth` blocks of two 3x3 convolutions and a max-pool, from 32 filters on, then one dense layer."""
    picture = pixels(48)
    x = scaled(picture)
    for level, filters in enumerate((32, 64, 128, 256)[:depth], start=1):
        x = _block(x, filters, level)
    x = layers.Dropout(dropout, name="dropout1")(layers.Flatten(name="flatten")(x))
    x = layers.Dense(128, activation="relu", name="fc1")(x)
    x = layers.Dropout(dropout, name="dropout2")(x)
    return keras.Model(picture, logits(x, heads), name=f"pathar_depth{depth}")


def refat_3pool(heads: Heads, dropout: float) -> keras.Model:
    """Three blocks of two 3x3 convolutions and a max-pool, 64 to 256 filters, and the heads."""
    picture = pixels(48)
    x = scaled(picture)
    for level, filters in enumerate((64, 128, 256), start=1):
        x = _block(x, filters, level)
    x = layers.Dropout(dropout, name="dropout")(layers.Flatten(name="flatten")(x))
    return keras.Model(picture, logits(x, heads), name="refat_3pool")


def verma(heads: Heads, dropout: float, name: str, widths: Sequence[int]) -> keras.Model:
    """Two convolutions with a max-pool each, then dense layers of the given widths."""
    picture = pixels(48)
    x = two_convolutions(scaled(picture))
    x = layers.Dropout(dropout, name="dropout")(layers.Flatten(name="flatten")(x))
    for number, width in enumerate(widths, start=1):
        x = layers.Dense(width, activation="relu", name=f"fc{number}")(x)
    return keras.Model(picture, logits(x, heads), name=name)


def mane_mini_xception(heads: Heads, dropout: float) -> keras.Model:
    """mini-XCEPTION (Arriaga et al. 2017): two convolutions, four residual blocks of separable ones."""
    picture = pixels(64)
    x = scaled(picture)
    for part in "ab":
        x = convolution(x, 8, f"0{part}")
    for level, filters in enumerate((16, 32, 64, 128), start=1):
        # Every other pixel, then a 1x1 convolution: the gradient of one with a stride brings TensorFlow 2.21
        # down (in oneDNN).
        past = layers.AveragePooling2D(1, strides=2, name=f"skip{level}")(x)
        past = layers.Conv2D(filters, 1, use_bias=False, name=f"past{level}")(past)
        past = FusedBatchNormalization(name=f"pastnorm{level}")(past)
        for part in "ab":
            x = layers.SeparableConv2D(
                filters, 3, padding="same", use_bias=False, name=f"separable{level}{part}"
            )(x)
            x = FusedBatchNormalization(name=f"norm{level}{part}")(x)
            if part == "a":
                x = layers.ReLU(name=f"relu{level}a")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{level}")(x)
        x = layers.Add(name=f"add{level}")([past, x])
    return keras.Model(picture, pooled_logits(x, heads), name="mane_mini_xception")


def mane_simple_cnn(heads: Heads, dropout: float) -> keras.Model:
    """The plain network beside mini-XCEPTION (Arriaga et al. 2017): nine convolutions, average pools."""
    picture = pixels(64)
    x = scaled(picture)
    for level, (filters, kernel) in enumerate(((16, 7), (32, 5), (64, 3), (128, 3)), start=1):
        x = layers.Conv2D(filters, kernel, padding="same", name=f"conv{level}a")(x)
        x = convolution(x, filters, f"{level}b", kernel)
        x = layers.AveragePooling2D(2, padding="same", name=f"pool{level}")(x)
        x = layers.Dropout(dropout, name=f"dropout{level}")(x)
    return keras.Model(picture, pooled_logits(convolution(x, 256, "5"), heads), name="mane_simple_cnn")


def _block(x: keras.KerasTensor, filters: int, level: int) -> keras.KerasTensor:
    for part in "ab":
        x = convolution(x, filters, f"{level}{part}")
    return layers.MaxPooling2D(name=f"pool{level}")(x)
