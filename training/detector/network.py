"""The detector's network: plain 3x3 convolutions down to stride 32, features upsampled to the finest grid."""

from typing import Any

import keras

from training.detector.targets import FINEST_STRIDE, SIZE_RANGES, strides
from training.errors import RunError
from training.runs.layers import FusedBatchNormalization

FACE_PRIOR = -4.6
"""The first score logit of every cell, log(.01 / .99): nearly all cells are background."""
HALF_RANGE = 127.5
"""Pixels 0..255 become `pixels / HALF_RANGE - 1`."""


WIDTHS = (16, 32, 48, 64, 96)
"""Filters at strides 2, 4, 8, 16 and 32."""
DEPTH = 2
"""Convolutions at each of the strides 8, 16 and 32 after the one that halves the sides."""


WIDTH_UNIT = 16
"""Filters come in multiples of this: as many channels as onnxruntime's blocked convolutions take at once."""


def build(
    widths: tuple[int, ...] = WIDTHS, depth: int = DEPTH, finest_stride: int = FINEST_STRIDE
) -> keras.Model:
    """A grey input (n, h, w, 1) of -1..1, h and w multiples of 32, to codes (n, cells, 5).

    A cell's five numbers are the score's logit and the box as `targets.encode` writes it; cells
    come in the order of `targets.cells`. `widths` are the filters at strides 2, 4, 8, 16 and 32, multiples
    of `WIDTH_UNIT`. `depth` counts the convolutions at each of the strides 8, 16 and 32 after the one that
    halves the sides. A `finest_stride` of 4 adds a grid that looks at the one convolution of stride 4 and at
    what is upsampled from stride 8. Raises RunError for a number that makes no network.
    """
    check_numbers(widths, depth, finest_stride)
    pixels = keras.Input((None, None, 1), name="pixels")
    x = _conv(pixels, widths[0], "stem", strides=2)
    x = _conv(x, widths[1], "stride4", strides=2)
    levels = {4: x}
    for stride, width in zip(strides(), widths[2:], strict=True):
        x = _conv(x, width, f"stride{stride}_down", strides=2)
        for number in range(1, depth + 1):
            x = _conv(x, width, f"stride{stride}_more{number}")
        levels[stride] = x
    for stride in reversed(strides(finest_stride)[:-1]):
        context = _conv(levels[2 * stride], levels[stride].shape[-1], f"stride{stride}_context", size=1)
        context = keras.layers.UpSampling2D(2, name=f"stride{stride}_up")(context)
        levels[stride] = keras.layers.Add(name=f"stride{stride}_add")([levels[stride], context])
    heads = [_head(levels[stride], f"head{stride}") for stride in strides(finest_stride)]
    codes = keras.layers.Concatenate(axis=1, name="codes", dtype="float32")(heads)
    return keras.Model(pixels, codes, name="mien_detector")


def check_numbers(widths: tuple[int, ...], depth: int, finest_stride: int) -> None:
    """Raise RunError for numbers that make no network; see `build`."""
    if len(widths) != len(WIDTHS) or any(width < 1 or width % WIDTH_UNIT for width in widths):
        raise RunError(
            f"widths are {widths}, expected {len(WIDTHS)} positive multiples of {WIDTH_UNIT}: filters at "
            "strides 2, 4, 8, 16 and 32"
        )
    if depth < 1:
        raise RunError(f"depth is {depth}, expected at least 1")
    if finest_stride not in SIZE_RANGES:
        raise RunError(f"finest_stride is {finest_stride}, expected one of {list(SIZE_RANGES)}")


def _conv(x: Any, filters: int, name: str, *, size: int = 3, strides: int = 1) -> Any:
    # Explicit symmetric padding: "same" pads a strided convolution on one side only, for odd reasons
    # of arithmetic, and shifts what the cells see by half a pixel at every scale.
    padding = "same"
    if strides == 2:
        x = keras.layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
        padding = "valid"
    x = keras.layers.Conv2D(
        filters, size, strides=strides, padding=padding, use_bias=False,
        kernel_initializer="he_normal", name=f"{name}_conv",
    )(x)  # fmt: skip
    x = FusedBatchNormalization(momentum=0.97, epsilon=1e-3, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _head(x: Any, name: str) -> Any:
    x = _conv(x, min(x.shape[-1], 64), f"{name}_look")
    score = keras.layers.Conv2D(
        1, 1, bias_initializer=keras.initializers.Constant(FACE_PRIOR), name=f"{name}_score",
    )(x)  # fmt: skip
    box = keras.layers.Conv2D(4, 1, name=f"{name}_box")(x)
    codes = keras.layers.Concatenate(name=f"{name}_both", dtype="float32")([score, box])
    return keras.layers.Reshape((-1, 5), name=f"{name}_flat")(codes)
