"""Pixels of a picture that Pillow has decoded, in any of its modes, to luminance or colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Gray = NDArray[np.uint8]
"""(height, width) uint8 luminance."""
Color = NDArray[np.uint8]
"""(height, width, 3) uint8 blue, green, red."""

_ORIENTATION = 0x0112
"""Tag of EXIF 2.32."""
_TRANSPOSED, _RIGHT_TO_LEFT, _BOTTOM_UP = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)
"""Orientations in which rows and columns are exchanged; columns, rows are then shown in reverse."""
_BITS = 258
"""Tag BitsPerSample of TIFF 6.0."""
_DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of sensors. A picture of 16 bits per pixel often holds fewer, in the lower bits."""


def luminance_of(pixels: NDArray[np.uint8]) -> Gray:
    """The luminance (height, width) of decoded pixels, in blue, green and red or grey already."""
    return pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)


def to_gray(image: Image.Image) -> Gray:
    """The luminance of a loaded picture, upright; transparent pixels become white."""
    if image.mode in _DEEP_MODES:
        return _upright(_from_deep(image), image)
    if image.has_transparency_data:
        image, original = _on_white(image), image
        return _upright(np.asarray(image.convert("L"), np.uint8), original)
    plain = image if image.mode == "L" else _plain(image).convert("L")
    return _upright(np.asarray(plain, np.uint8), image)


def to_color(image: Image.Image) -> Color:
    """A loaded picture in colours, upright; transparent pixels become white."""
    if image.mode in _DEEP_MODES:
        gray = _upright(_from_deep(image), image)
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    plain = _on_white(image) if image.has_transparency_data else _plain(image)
    return np.ascontiguousarray(_upright(np.asarray(plain.convert("RGB"), np.uint8), image)[..., ::-1])


def _plain(image: Image.Image) -> Image.Image:
    """A picture in a mode that converts to luminance directly."""
    return image.convert("RGB") if image.mode in ("CMYK", "LAB", "HSV") else image


def _on_white(image: Image.Image) -> Image.Image:
    transparent = image.convert("RGBA")
    white = Image.new("RGBA", transparent.size, "white")
    white.alpha_composite(transparent)
    return white.convert("RGB")


def _from_deep(image: Image.Image) -> Gray:
    """Luminance of more than 8 bits, or of floating point, in 8 bits."""
    values = np.asarray(image)
    if values.dtype.kind == "f":
        return _from_floats(values)
    most = int(values.max(initial=0))
    depth = _announced_bits(image) or next((bits for bits in _DEPTHS if most < 1 << bits), most.bit_length())
    return np.asarray(np.clip(values, 0, None) >> max(0, max(depth, most.bit_length()) - 8), np.uint8)


def _announced_bits(image: Image.Image) -> int:
    """The bits per pixel that a TIFF states, if they are fewer than 16; 0 otherwise."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (0,))
    first = bits[0] if isinstance(bits, tuple) else bits
    return int(first) if first < 16 else 0


def _from_floats(values: NDArray[np.floating]) -> Gray:
    """Floating point from 0 to 1, or from 0 to 255; a picture with any other range is stretched to it."""
    finite = np.nan_to_num(values.astype(np.float32), nan=0, posinf=0, neginf=0)
    least, most = float(finite.min(initial=0)), float(finite.max(initial=0))
    if least >= 0 and most <= 1:
        scaled = finite * 255
    elif least >= 0 and most <= 255:
        scaled = finite
    else:
        scaled = (finite - least) * (255 / (most - least))
    return np.asarray(scaled.round(), np.uint8)


def _upright(pixels: NDArray[np.uint8], image: Image.Image) -> NDArray[np.uint8]:
    """The pixels as the picture's EXIF orientation says (EXIF 2.32, 4.6.4, A)."""
    orientation = _orientation(image)
    if orientation in _TRANSPOSED:
        pixels = pixels.swapaxes(0, 1)
    if orientation in _RIGHT_TO_LEFT:
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in _BOTTOM_UP else pixels


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(_ORIENTATION)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        # A picture whose EXIF is damaged is shown as it is stored, as viewers do.
        return None
