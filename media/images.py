"""Encoded pictures to pixels, safely, on Pillow: format, size and structure are checked before decoding."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from media.errors import ImageError
from media.formats import FORMATS, check_format, skip_padding
from media.jpeg import complete, has_end, is_whole, limit_scans
from media.pixels import Color, Gray, to_color, to_gray

__all__ = ["Color", "Gray"]

MEGABYTE = 1_000_000

_OPENERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
}
"""Of each format its own class, which reads the header: `Image.open` would try others, too."""
DECODING_ERRORS = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, EOFError),
    *(struct.error, RuntimeError, Image.DecompressionBombError, UserWarning, AttributeError),
)
"""What Pillow raises for damaged pictures."""
_TRUNCATED = "truncated"
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_SMALL_TILE = 1024 * 1024
_WEBP_SIDE = 0x3FFF


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted at one entrance.

    Attributes:
        bytes: of the encoded picture, at most.
        side: pixels per side, at most.
        pixels: in all, at most. Half of it where decoding takes twice the memory: progressive JPEG, more than
            8 bits, transparency, animated pictures.
        formats: names from `media.formats.FORMATS`.
        progressive: whether a JPEG may be progressive.
    """

    bytes: int
    side: int
    pixels: int
    formats: frozenset[str] = FORMATS
    progressive: bool = True


BUS_FRAME = Limits(
    bytes=2 * MEGABYTE, side=4096, pixels=4096 * 4096, formats=frozenset({"JPEG"}), progressive=False
)
"""For frames on the bus, which ingest encodes: up to 4096 pixels a side, of any shape."""
CAMERA_PICTURE = Limits(bytes=8 * MEGABYTE, side=8192, pixels=2 * 8192 * 4608, formats=frozenset({"JPEG"}))
"""For what a camera sends over HTTP: up to an 8K sensor, progressive or not."""
PICTURE_FILE = Limits(bytes=50 * MEGABYTE, side=30_000, pixels=120_000_000)
"""For files that a user names: up to what large cameras deliver."""


def decode_gray(data: bytes, limits: Limits = BUS_FRAME) -> Gray:
    """The luminance (height, width) uint8 of an encoded picture, upright by its EXIF orientation.

    Higher depths become 8 bits, transparent pixels become white, and of several pictures the first counts.
    Bytes behind the end of a picture are ignored, and a JPEG need not have an end marker. Raises ImageError
    for what is not a picture, is damaged or truncated, or exceeds `limits`.
    """
    return _decode(data, limits, gray=True)


def decode_color(data: bytes, limits: Limits = PICTURE_FILE) -> Color:
    """The same picture as `decode_gray`, (height, width, 3) uint8 in the order blue, green, red."""
    return _decode(data, limits, gray=False)


def read_gray(path: Path, limits: Limits = PICTURE_FILE) -> Gray:
    """`decode_gray` for a file, stricter: a JPEG with a damaged part, which libjpeg fills, is refused."""
    return decode_gray(_read_whole(path, limits), limits)


def read_color(path: Path, limits: Limits = PICTURE_FILE) -> Color:
    """`decode_color` for a file, as strict as `read_gray`."""
    return decode_color(_read_whole(path, limits), limits)


def read_bytes(path: Path, limits: Limits = PICTURE_FILE) -> bytes:
    """The bytes of a picture file, at most one more than `limits` allow; raises ImageError."""
    try:
        with path.open("rb") as file:
            return file.read(limits.bytes + 1)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from error


def open_picture(data: bytes, limits: Limits) -> tuple[ImageFile.ImageFile, str]:
    """A picture whose header is read and checked but whose pixels are not decoded, and its format.

    Raises:
        ImageError: it is none, or exceeds `limits`.
    """
    data, kind = _check_encoded(data, limits)
    return _open(data, kind, limits), kind


def check_size(image: ImageFile.ImageFile, kind: str, limits: Limits) -> None:
    """Raise ImageError where decoding a picture would exceed `limits`."""
    width, height = image.size
    _check_size(kind, width, height, _weight(image), limits)
    if kind == "JPEG" and image.info.get("progressive") and not limits.progressive:
        raise ImageError("a progressive JPEG: expected baseline")
    if kind == "TIFF":
        _check_tiles(image)


def load(image: ImageFile.ImageFile, kind: str) -> None:
    """Decode the pixels of an open picture; raises ImageError where it is damaged."""
    try:
        image.load()
    except DECODING_ERRORS as error:
        raise ImageError(f"{_damage(error)} {kind}: {_reason(error)}") from error


def convert(image: ImageFile.ImageFile, kind: str, gray: bool) -> Gray | Color:
    """The pixels of a loaded picture; raises ImageError where its kind cannot be converted."""
    try:
        return to_gray(image) if gray else to_color(image)
    except DECODING_ERRORS as error:
        raise ImageError(f"damaged {kind}: {_reason(error)}") from error


def _check_encoded(data: bytes, limits: Limits) -> tuple[bytes, str]:
    """What a decoder may get of an encoded picture, and its format; raises ImageError."""
    if len(data) > limits.bytes:
        raise ImageError(f"more than {limits.bytes / MEGABYTE:g} MB, the most that is accepted")
    kind = check_format(data, limits.formats)
    return (limit_scans(skip_padding(data)) if kind == "JPEG" else data), kind


def _open(data: bytes, kind: str, limits: Limits) -> ImageFile.ImageFile:
    """A picture whose header is read and checked, from what `_check_encoded` returns; raises ImageError."""
    if kind == "WebP":
        # Its decoder allocates the pictures when it is opened.
        _check_size(kind, *_webp_size(data), 2, limits)
    try:
        image = _OPENERS[kind](io.BytesIO(data))
    except DECODING_ERRORS as error:
        raise ImageError(f"damaged {kind}, or of a kind that is not supported: {_reason(error)}") from error
    check_size(image, kind, limits)
    return image


def _decode(data: bytes, limits: Limits, gray: bool) -> Gray | Color:
    data, kind = _check_encoded(data, limits)
    image = _open(data, kind, limits)
    if kind == "JPEG" and not has_end(data):
        # The size is checked by now, which another decoder relies on.
        image = _open(complete(data), kind, limits)
    with image:
        if gray and isinstance(image, JpegImagePlugin.JpegImageFile):
            # The luma of a colour picture is decoded alone.
            image.draft("L", None)
        load(image, kind)
        return convert(image, kind, gray)


def _read_whole(path: Path, limits: Limits) -> bytes:
    data, kind = _check_encoded(read_bytes(path, limits), limits)
    _open(data, kind, limits).close()
    if kind == "JPEG" and has_end(data) and not is_whole(data):
        raise ImageError("damaged JPEG: a part of the picture is missing")
    return data


def _weight(image: ImageFile.ImageFile) -> int:
    """Memory that decoding a pixel takes, relative to an ordinary picture."""
    heavy = (
        image.info.get("progressive")
        or getattr(image, "is_animated", False)
        or image.mode in ("RGBA", "RGBa", "LA", "PA", "La")
        or image.mode.startswith(("I", "F"))
    )
    return 2 if heavy else 1


def _check_size(kind: str, width: int, height: int, weight: int, limits: Limits) -> None:
    size = f"{kind} header announces {width} x {height} pixels"
    if width < 1 or height < 1:
        raise ImageError(size)
    if max(width, height) > limits.side:
        raise ImageError(f"{size}, the most is {limits.side} a side")
    if width * height * weight > limits.pixels:
        raise ImageError(f"{size}, the most for its kind is {limits.pixels / weight / 1e6:.3g} million")


def _check_tiles(image: ImageFile.ImageFile) -> None:
    """Raise ImageError where a TIFF has tiles that are far larger than its picture."""
    tags = getattr(image, "tag_v2", {})
    try:
        tile = int(tags.get(_TILE_WIDTH, 0)) * int(tags.get(_TILE_HEIGHT, 0))
    except TypeError as error:
        raise ImageError("damaged TIFF: the size of its tiles is not a number") from error
    width, height = image.size
    if tile > max(4 * width * height, _SMALL_TILE):
        raise ImageError(f"damaged TIFF: tiles of {tile} pixels in a picture of {width} x {height}")


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height that a WebP announces (RFC 9649, 2.5 to 2.7); raises ImageError."""
    try:
        match data[12:16]:
            case b"VP8 ":
                width, height = struct.unpack_from("<HH", data, 26)
                return width & _WEBP_SIDE, height & _WEBP_SIDE
            case b"VP8L":
                (bits,) = struct.unpack_from("<I", data, 21)
                return (bits & _WEBP_SIDE) + 1, (bits >> 14 & _WEBP_SIDE) + 1
            case b"VP8X":
                struct.unpack_from("6x", data, 24)
                width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
                return width, height
    except struct.error:
        raise ImageError(f"truncated WebP: {len(data)} bytes") from None
    raise ImageError(f"damaged WebP: unknown chunk {data[12:16]!r}")


def _damage(error: Exception) -> str:
    text = str(error).lower()
    return _TRUNCATED if _TRUNCATED in text or isinstance(error, EOFError) else "damaged"


def _reason(error: Exception) -> str:
    """What Pillow says, where that is made for people."""
    cause = error.__cause__ or error
    if isinstance(cause, struct.error | IndexError | EOFError):
        return "it ends within its header"
    if isinstance(cause, KeyError):
        return f"{error} is not a known value"
    if isinstance(error, SyntaxError) and "not identified" in str(error):
        return "its header has no size"
    return " ".join(str(error).split()) or type(error).__name__
