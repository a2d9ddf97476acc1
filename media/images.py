"""Encoded pictures to pixels, safely: format, size and structure are checked before anything is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media.errors import ImageError
from media.formats import read_header
from media.header import FORMATS, Header
from media.native import diverted_stderr

Gray = NDArray[np.uint8]
"""(height, width) uint8 luminance."""
Color = NDArray[np.uint8]
"""(height, width, 3) uint8 blue, green, red."""

MEGABYTE = 1_000_000
_WHITE = 255
_ROWS_AT_ONCE = 256
_DATA_LOST = ("premature end of data", "bad Huffman code")
"""Messages of libjpeg where it fills missing parts (jerror.h); its other warnings are harmless."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted at one entrance.

    Attributes:
        bytes: of the encoded picture, at most.
        side: pixels per side, at most.
        pixels: in all, at most. Half of it where decoding takes twice the memory: progressive JPEG, 16 bits,
            animated pictures.
        formats: names from `media.header.FORMATS`.
        progressive: whether a JPEG may be of another kind than baseline.
    """

    bytes: int
    side: int
    pixels: int
    formats: frozenset[str] = FORMATS
    progressive: bool = True


BUS_FRAME = Limits(
    bytes=2 * MEGABYTE, side=4096, pixels=4096 * 2304, formats=frozenset({"JPEG"}), progressive=False
)
"""For frames on the bus, which ingest encodes: up to 4K."""
CAMERA_PICTURE = Limits(bytes=8 * MEGABYTE, side=8192, pixels=2 * 8192 * 4608, formats=frozenset({"JPEG"}))
"""For what a camera sends over HTTP: up to an 8K sensor, progressive or not."""
PICTURE_FILE = Limits(bytes=50 * MEGABYTE, side=30_000, pixels=120_000_000)
"""For files that a user names: up to what large cameras deliver."""


def decode_gray(data: bytes, limits: Limits = BUS_FRAME) -> Gray:
    """The luminance (height, width) uint8 of an encoded picture, upright by its EXIF orientation.

    16 bits per pixel become 8, of an animation the first picture counts, and transparent pixels become
    white (such pictures are taken as they are stored, without EXIF). Bytes behind the end of a JPEG, PNG or
    WebP are ignored. Raises ImageError for what is not a picture, is damaged or truncated, or exceeds
    `limits`.
    """
    header = _check(data, limits)
    if header.alpha:
        return _flattened_gray(data, header)
    return _decoded(data, cv2.IMREAD_GRAYSCALE, header)


def decode_color(data: bytes, limits: Limits = PICTURE_FILE) -> Color:
    """The same picture as `decode_gray`, (height, width, 3) uint8 in the order blue, green, red."""
    header = _check(data, limits)
    return _flattened(data, header) if header.alpha else _decoded(data, cv2.IMREAD_COLOR_BGR, header)


def read_gray(path: Path, limits: Limits = PICTURE_FILE) -> Gray:
    """`decode_gray` for a file, stricter: a picture with a missing part that was filled is refused.

    Keeps standard error clean by diverting it (see `diverted_stderr`): not for threads.
    """
    return _read(path, decode_gray, limits)


def read_color(path: Path, limits: Limits = PICTURE_FILE) -> Color:
    """`decode_color` for a file, as strict as `read_gray`."""
    return _read(path, decode_color, limits)


def read_bytes(path: Path, limits: Limits = PICTURE_FILE) -> bytes:
    """The bytes of a picture file, at most one more than `limits` allow; raises ImageError."""
    try:
        with path.open("rb") as file:
            return file.read(limits.bytes + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from error


def _read(path: Path, decode: Callable[[bytes, Limits], NDArray[np.uint8]], limits: Limits) -> Gray | Color:
    data = read_bytes(path, limits)
    with diverted_stderr() as messages:
        picture = decode(data, limits)
    if any(lost in messages.text for lost in _DATA_LOST):
        raise ImageError("damaged JPEG: a part of the picture is missing")
    return picture


def _check(data: bytes, limits: Limits) -> Header:
    if len(data) > limits.bytes:
        raise ImageError(f"more than {limits.bytes / MEGABYTE:g} MB, the most that is accepted")
    header = read_header(data, limits.formats)
    size = f"{header.format} header announces {header.width} x {header.height} pixels"
    if max(header.width, header.height) > limits.side:
        raise ImageError(f"{size}, the most is {limits.side} a side")
    if header.width * header.height * header.weight > limits.pixels:
        most = limits.pixels / header.weight
        raise ImageError(f"{size}, the most for its kind is {most / 1e6:.3g} million")
    if header.progressive and not limits.progressive:
        raise ImageError("a progressive JPEG: expected baseline")
    return header


def _decoded(data: bytes, flags: int, header: Header) -> NDArray[np.uint8]:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8, header.end), flags)
    except cv2.error as error:
        raise ImageError(f"damaged {header.format}: {error.err or 'it cannot be decoded'}") from error
    if picture is None:
        raise ImageError(f"damaged or truncated {header.format}: it cannot be decoded")
    # With EXIF, a picture may be turned by 90 degrees; of any other size it is not the one announced.
    if picture.shape[:2] not in ((header.height, header.width), (header.width, header.height)):
        height, width = picture.shape[:2]
        raise ImageError(
            f"damaged {header.format}: {width} x {height} pixels, "
            f"its header announces {header.width} x {header.height}"
        )
    return np.asarray(picture)


def _flattened_gray(data: bytes, header: Header) -> Gray:
    return np.asarray(cv2.cvtColor(_flattened(data, header), cv2.COLOR_BGR2GRAY), np.uint8)


def _flattened(data: bytes, header: Header) -> Color:
    """A picture that may be transparent, laid on white; by strips, which bounds the memory."""
    picture = _decoded(data, cv2.IMREAD_UNCHANGED, header)
    if picture.ndim < 3 or picture.shape[2] < 4 or picture.dtype not in (np.uint8, np.uint16):
        return _decoded(data, cv2.IMREAD_COLOR_BGR, header)
    white = float(np.iinfo(picture.dtype).max)
    flat = np.empty((*picture.shape[:2], 3), np.uint8)
    for top in range(0, len(picture), _ROWS_AT_ONCE):
        strip = picture[top : top + _ROWS_AT_ONCE]
        alpha = strip[..., 3:].astype(np.float32) / white
        mixed = strip[..., :3] * (alpha * _WHITE / white) + _WHITE * (1 - alpha)
        flat[top : top + _ROWS_AT_ONCE] = mixed.round()
    return flat
