"""Decoded frames of videos to pictures: upright, with square pixels, without the comb of interlacing.

Luminance comes from the luma plane directly: a conversion to colours and back would cost more than decoding.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData, SideDataContainer
from numpy.typing import NDArray

from media.errors import ImageError
from media.images import Color, Gray

_FULL_RANGE = 2
"""AVCOL_RANGE_JPEG: luma from 0 to 255; otherwise 16 is black and 235 is white (ITU-R BT.601)."""
_LIMITED_RANGE = 1
_EXTREME_ASPECT = 8.0
"""Ratio of a pixel's sides beyond which the value is a mistake: lenses and encoders stay below 3."""
_EIGHT, _SIXTEEN = 8, 16
_FIXED_POINT = 65_536


class Layout(NamedTuple):
    """How the pixels of a frame are arranged, beyond its size.

    Attributes:
        aspect: width of a pixel in its heights.
        matrix: (a, b, c, d) of the display matrix: a stored pixel (x, y) is shown at (ax + cy, bx + dy),
            with -1, 0 and 1 only.
    """

    aspect: float = 1.0
    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)


UPRIGHT = (1, 0, 0, 1)


def check_aspect(aspect: float | None) -> float:
    """The width of a pixel in its heights; 1 where it is unknown or absurd."""
    if aspect is None or not 1 / _EXTREME_ASPECT <= aspect <= _EXTREME_ASPECT:
        return 1.0
    return aspect


def read_display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """The display matrix of a frame, rounded to turns of 90 degrees and mirrors."""
    # Not `frame.side_data`, which refers to the frame as the frame does to it: the pixels of every frame that
    # was asked for it would stay in memory until the garbage collector looks for cycles, which is rare.
    side_data = SideDataContainer(frame)  # type: ignore[call-arg]
    data = cast(SideData | None, side_data.get("DISPLAYMATRIX"))
    if data is None:
        return UPRIGHT
    values = struct.unpack("=9i", bytes(data)[:36])
    a, b, c, d = (value / _FIXED_POINT for value in (values[0], values[1], values[3], values[4]))
    along = abs(a) + abs(d) >= abs(b) + abs(c)
    rounded = (_sign(a), 0, 0, _sign(d)) if along else (0, _sign(b), _sign(c), 0)
    return rounded if rounded[0] * rounded[3] - rounded[1] * rounded[2] else UPRIGHT


def to_gray(frame: av.VideoFrame, layout: Layout) -> Gray:
    """The luminance (height, width) uint8 of a frame, 0 for black and 255 for white.

    Raises:
        ImageError: its pixel format cannot be converted.
    """
    luma, limited = _luma(frame)
    gray = _arranged(luma, frame.interlaced_frame, layout)
    # Last, because it also copies a plane that the decoder would reuse.
    return np.asarray(cv2.LUT(gray, _EXPANDED), np.uint8) if limited else np.array(gray, np.uint8)


def to_color(frame: av.VideoFrame, layout: Layout) -> Color:
    """A frame as (height, width, 3) uint8 blue, green, red.

    Raises:
        ImageError: its pixel format cannot be converted.
    """
    return np.ascontiguousarray(_arranged(_converted(frame, "bgr24"), frame.interlaced_frame, layout))


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


class _Format(NamedTuple):
    """What a pixel format means for its luminance.

    `direct` says that the first plane holds luma alone, in `bits` of one or two bytes, the lowest `shift` of
    which are left out; `full_by_default` that 0 is black unless the frame says otherwise, instead of 16.
    """

    direct: bool
    transparent: bool
    rgb: bool
    bits: int
    shift: int
    byte_order: str
    full_by_default: bool


@lru_cache(maxsize=64)
def _describe(name: str) -> _Format:
    kind = av.VideoFormat(name, 16, 16)
    first = kind.components[0]
    transparent = any(each.is_alpha for each in kind.components)
    alone = kind.is_planar or len(kind.components) == 1
    plain = (
        first.is_luma and _EIGHT <= first.bits <= _SIXTEEN and not (kind.has_palette or kind.is_bit_stream)
    )
    # p010 and its relatives keep their bits at the upper end of 16.
    stored = _SIXTEEN if name.startswith(("p0", "p2", "p4")) else first.bits
    return _Format(
        direct=plain and alone and not transparent,
        transparent=transparent,
        rgb=kind.is_rgb,
        bits=first.bits,
        shift=stored - _EIGHT,
        byte_order=">" if kind.is_big_endian else "<",
        full_by_default=name.startswith(("gray", "yuvj")),
    )


def _luma(frame: av.VideoFrame) -> tuple[NDArray[np.uint8], bool]:
    """The luminance as the frame stores it, and whether it has the limited range."""
    kind = _describe(frame.format.name)
    if kind.direct:
        said = frame.color_range
        limited = said != _FULL_RANGE and not (kind.full_by_default and said != _LIMITED_RANGE)
        return _plane(frame, kind), limited
    if kind.transparent:
        return _composited(frame), False
    if kind.rgb:
        return np.asarray(cv2.cvtColor(_converted(frame, "bgr24"), cv2.COLOR_BGR2GRAY), np.uint8), False
    return _converted(frame, "gray"), False


def _plane(frame: av.VideoFrame, kind: _Format) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    if kind.bits == _EIGHT:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return np.asarray(rows[: frame.height, : frame.width], np.uint8)
    deep = np.frombuffer(memoryview(plane), f"{kind.byte_order}u2").reshape(-1, plane.line_size // 2)
    return np.asarray(deep[: frame.height, : frame.width] >> kind.shift, np.uint8)


def _composited(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """The luminance of a frame that may be transparent, laid on white."""
    pixels = _converted(frame, "bgra")
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY), np.uint8)
    alpha = pixels[..., 3].astype(np.uint16)
    return np.asarray((gray * alpha + 255 * (255 - alpha) + 127) // 255, np.uint8)


def _converted(frame: av.VideoFrame, name: str) -> NDArray[np.uint8]:
    try:
        return np.asarray(frame.reformat(format=name).to_ndarray(), np.uint8)
    except (av.FFmpegError, ValueError) as error:
        raise ImageError(f"a frame in pixel format {frame.format.name}, which cannot be converted") from error


def _arranged(pixels: NDArray[np.uint8], interlaced: bool, layout: Layout) -> NDArray[np.uint8]:
    """The pixels upright and square; of an interlaced picture one field, its lines doubled."""
    height, width = pixels.shape[:2]
    wide, high = width, height
    if layout.aspect > 1:
        wide = round(width * layout.aspect)
    elif layout.aspect < 1:
        high = round(height / layout.aspect)
    if interlaced:
        # Doubled lines read as well as interpolated ones at half the cost: benchmarks.deinterlacing.
        pixels = np.repeat(pixels[::2], 2, axis=0)[:height]
    if pixels.shape[:2] != (high, wide):
        pixels = np.asarray(cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)
    a, b, c, d = layout.matrix
    if b or c:
        pixels = pixels.swapaxes(0, 1)
        a, d = c, b
    if a < 0:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if d < 0 else pixels


_EXPANDED = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
"""Luma of the limited range to 0 to 255 (ITU-R BT.601)."""
