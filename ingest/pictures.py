"""From pixels to what travels on the bus: luminance, scaled, as JPEG."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadPicture

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 blue, green, red, or (height, width) uint8 luminance."""
Gray = NDArray[np.uint8]
"""(height, width) uint8 luminance."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a source, not decoded yet: most are never sampled.

    `offset` is its time in seconds from the source's first one, None for what a camera shows now.
    `pixels` decodes it; it is to be called before the source is read again, raises BadPicture.
    """

    offset: float | None
    pixels: Callable[[], Pixels]


MOST_BYTES = 8_000_000
MOST_SIDE = 8192
"""The largest picture that a camera may send: that of an 8K sensor."""

_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame (ITU-T T.81, table B.1): C0 to CF without DHT, JPG and DAC."""


def to_gray(pixels: Pixels, longest_side: int) -> Gray:
    """The luminance of `pixels`, made smaller where a side is longer than `longest_side`."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if pixels.ndim == 3 else pixels
    height, width = gray.shape
    scale = longest_side / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, np.uint8)


def encode_jpeg(gray: Gray, quality: int) -> bytes:
    """`gray` as JPEG."""
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def decode_gray(data: bytes) -> Gray:
    """The luminance of an encoded picture.

    Of a JPEG the announced size is checked, and that it is complete, before anything is decoded.

    Raises:
        BadPicture: it is too large, damaged, or no picture.
    """
    if data.startswith(b"\xff\xd8"):
        _check_jpeg(data)
    try:
        gray = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    except cv2.error as error:
        raise BadPicture(f"a picture that cannot be decoded: {error.err}") from error
    if gray is None:
        raise BadPicture(f"not a picture: {len(data)} bytes that begin with {data[:4]!r}")
    return np.asarray(gray, np.uint8)


def _check_jpeg(data: bytes) -> None:
    try:
        width, height = _jpeg_size(data)
    except (struct.error, IndexError):
        raise BadPicture(f"a JPEG of {len(data)} bytes that ends within its header") from None
    if max(width, height) > MOST_SIDE:
        raise BadPicture(f"a JPEG of {width} x {height} pixels: the most is {MOST_SIDE} a side")
    if b"\xff\xd9" not in data[-64:]:
        raise BadPicture(f"a JPEG that ends after {len(data)} bytes, in the midst of the picture")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height, from the first start of frame; every segment before it tells its own length."""
    at = 2
    while True:
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0xD9, 0xDA):
            raise BadPicture(f"a JPEG whose header is damaged at byte {at}")
        if marker in _SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker == 0xFF:
            at += 1
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
