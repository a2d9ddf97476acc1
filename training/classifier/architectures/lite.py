"""EfficientNet-Lite0, whose weights for ImageNet are public: a teacher that has seen more than faces."""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import layers

from training.classifier.architectures.parts import Heads, logits, pixel_input
from training.runs.layers import FusedBatchNormalization

ENLARGED = 2
"""The input is enlarged so many times: the last of five halvings then still leaves 3 x 3 cells."""
_EPSILON = 1e-3


class Stage(NamedTuple):
    """Blocks of one width; the first of them has the stride and takes the width of the stage before."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""Tan and Le 2019, table 1 (EfficientNet-B0). Lite0 has ReLU6 and no squeeze-and-excitation."""


def lite0(heads: Heads, dropout: float) -> keras.Model:
    """EfficientNet-Lite0 on grey faces enlarged to 96 pixels: 3.4 million weights.

    It is too slow for many cameras and serves as a teacher; `training.classifier.imagenet` gives it the
    weights of ImageNet.
    """
    picture = pixel_input(48)
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="scale")(picture)
    x = layers.UpSampling2D(ENLARGED, interpolation="bilinear", name="enlarge")(x)
    x = _convolution(x, 32, "stem", kernel=3, stride=2)
    number = 0
    for stage in STAGES:
        for index in range(stage.blocks):
            x = _block(x, stage, stage.stride if index == 0 else 1, f"block{number}")
            number += 1
    x = _convolution(x, 1280, "head")
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(picture, logits(x, heads), name="lite0")


def _block(x: keras.KerasTensor, stage: Stage, stride: int, name: str) -> keras.KerasTensor:
    """An inverted residual block (Sandler et al. 2018): wider, a filter for each channel, narrower."""
    past = x
    if stage.expansion > 1:
        x = _convolution(x, x.shape[-1] * stage.expansion, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _activate(_normalise(x, f"{name}_depthwise"), f"{name}_depthwise")
    x = _convolution(x, stage.filters, f"{name}_project", activate=False)
    if stride == 1 and past.shape[-1] == stage.filters:
        x = layers.Add(name=f"{name}_add")([past, x])
    return x


def _convolution(
    x: keras.KerasTensor, filters: int, name: str, *, kernel: int = 1, stride: int = 1, activate: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=name)(x)
    x = _normalise(x, name)
    return _activate(x, name) if activate else x


def _normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return FusedBatchNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)


def _activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(6.0, name=f"{name}_relu")(x)
