"""Encoded pictures to pixels, safely: what the header announces is checked before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import ImageError
from inference.native_stderr import diverted_stderr
from media.headers import Header, read_header

Gray = NDArray[np.uint8]
"""(height, width) uint8 luminance."""
Color = NDArray[np.uint8]
"""(height, width, 3) uint8 blue, green, red."""

MEGABYTE = 1_000_000
_WHITE = 255
_DATA_LOST = ("premature end of data", "bad Huffman code")
"""What libjpeg says where it makes up the rest of a picture (jerror.h); its other warnings are harmless."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest picture that is accepted: encoded bytes, pixels per side, pixels in all."""

    bytes: int
    side: int
    pixels: int


FRAME = Limits(bytes=2 * MEGABYTE, side=4096, pixels=4096 * 2304)
"""For frames of cameras: up to 4K."""
FILE = Limits(bytes=50 * MEGABYTE, side=30_000, pixels=120_000_000)
"""For files that a user names: up to what large cameras deliver."""


def decode_gray(data: bytes, limits: Limits = FRAME) -> Gray:
    """The luminance (height, width) uint8 of an encoded picture, upright by its EXIF orientation.

    16 bits per pixel become 8, of an animation the first picture counts, and what is transparent becomes
    white (such pictures are taken as they are stored, without EXIF). Raises ImageError for what is not a
    picture, is damaged or truncated, or exceeds `limits`.
    """
    header = _check(data, limits)
    if header.alpha:
        return np.asarray(cv2.cvtColor(_flattened(data, header), cv2.COLOR_BGR2GRAY), np.uint8)
    return _decoded(data, cv2.IMREAD_GRAYSCALE, header)


def decode_color(data: bytes, limits: Limits = FILE) -> Color:
    """The same picture as `decode_gray`, (height, width, 3) uint8 in the order blue, green, red."""
    header = _check(data, limits)
    return _flattened(data, header) if header.alpha else _decoded(data, cv2.IMREAD_COLOR_BGR, header)


def read_gray(path: Path, limits: Limits = FILE) -> Gray:
    """`decode_gray` for a file, stricter: a picture of which a part had to be made up is refused.

    Keeps standard error clean by diverting it (see `diverted_stderr`): not for threads.
    """
    return _read(path, decode_gray, limits)


def read_color(path: Path, limits: Limits = FILE) -> Color:
    """`decode_color` for a file, as strict as `read_gray`."""
    return _read(path, decode_color, limits)


def _read(path: Path, decode: Callable[[bytes, Limits], NDArray[np.uint8]], limits: Limits) -> Gray | Color:
    try:
        with path.open("rb") as file:
            data = file.read(limits.bytes + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from error
    with diverted_stderr() as said:
        picture = decode(data, limits)
    if any(words in said.text for words in _DATA_LOST):
        raise ImageError("damaged JPEG: a part of the picture is missing")
    return picture


def _check(data: bytes, limits: Limits) -> Header:
    if len(data) > limits.bytes:
        raise ImageError(f"more than {limits.bytes / MEGABYTE:g} MB, the most that is accepted")
    header = read_header(data)
    size = f"{header.format} header announces {header.width} x {header.height} pixels"
    if max(header.width, header.height) > limits.side:
        raise ImageError(f"{size}, the most is {limits.side} a side")
    if header.width * header.height > limits.pixels:
        raise ImageError(f"{size}, the most is {limits.pixels / 1e6:.3g} million")
    return header


def _decoded(data: bytes, flags: int, header: Header) -> NDArray[np.uint8]:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"damaged {header.format}: {error.err or 'it cannot be decoded'}") from error
    if picture is None:
        raise ImageError(f"damaged or truncated {header.format}: it cannot be decoded")
    # With EXIF, a picture may lie on its side; of any other size it is not the one announced.
    if picture.shape[:2] not in ((header.height, header.width), (header.width, header.height)):
        height, width = picture.shape[:2]
        raise ImageError(
            f"damaged {header.format}: {width} x {height} pixels, "
            f"its header announces {header.width} x {header.height}"
        )
    return np.asarray(picture)


def _flattened(data: bytes, header: Header) -> Color:
    """A picture that may be transparent, laid on white."""
    picture = _decoded(data, cv2.IMREAD_UNCHANGED, header)
    if picture.ndim < 3 or picture.shape[2] < 4 or picture.dtype not in (np.uint8, np.uint16):
        return _decoded(data, cv2.IMREAD_COLOR_BGR, header)
    white = float(np.iinfo(picture.dtype).max)
    alpha = picture[..., 3:].astype(np.float32) / white
    mixed = picture[..., :3] * (alpha * _WHITE / white) + _WHITE * (1 - alpha)
    return np.asarray(mixed.round().astype(np.uint8))
