"""What a picture's header announces, read before anything is decoded.

Six formats are known: JPEG (ITU-T T.81), PNG (RFC 2083 and its successors), GIF 89a, Windows BMP, TIFF 6.0
and WebP (RFC 9649).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from inference.errors import ImageError

KNOWN = "JPEG, PNG, BMP, GIF, TIFF or WebP"

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame: all of C0 to CF but DHT, JPG and DAC."""
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
"""TEM, restarts and start of image: no length follows."""
_MOST_SEGMENTS = 10_000
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I"}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_EXTRA_SAMPLES = 256, 257, 338
_PNG_ALPHA_TYPES = (4, 6)


class Header(NamedTuple):
    """Format, width and height in pixels as stored, and whether pixels may be transparent."""

    format: str
    width: int
    height: int
    alpha: bool = False


def read_header(data: bytes) -> Header:
    """The header of an encoded picture; raises ImageError where the format is unknown or it is damaged."""
    for signature, name, parse in _FORMATS:
        if data.startswith(signature) and (name != "WebP" or data[8:12] == b"WEBP"):
            try:
                header = parse(data)
            except (struct.error, IndexError):
                raise ImageError(f"a {name} file that ends within its header") from None
            if header.width < 1 or header.height < 1:
                raise ImageError(f"{name} header announces {header.width} x {header.height} pixels")
            return header
    raise ImageError(f"not a picture: expected {KNOWN}" if data else "an empty file")


def _jpeg(data: bytes) -> Header:
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if data[at] != 0xFF:
            raise ImageError(f"damaged JPEG header: no marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _BARE_MARKERS:
            at += 2
        elif marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Header("JPEG", width, height)
        elif marker in (0xD9, 0xDA):
            raise ImageError("damaged JPEG header: the picture begins before its size is told")
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            at += 2 + length
    raise ImageError(f"damaged JPEG header: more than {_MOST_SEGMENTS} segments before the picture's size")


def _png(data: bytes) -> Header:
    width, height, _, colour = struct.unpack_from(">IIBB", data, 16)
    return Header("PNG", width, height, colour in _PNG_ALPHA_TYPES or b"tRNS" in data[:4096])


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", width, height, alpha=True)


def _bmp(data: bytes) -> Header:
    (length,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", data, 18)
    return Header("BMP", width, abs(height))


def _tiff(data: bytes) -> Header:
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, at)
    values: dict[int, int] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if kind in _TIFF_NUMBERS:
            (values[tag],) = struct.unpack_from(f"{order}{_TIFF_NUMBERS[kind]}", data, entry + 8)
    width, height = values.get(_TIFF_WIDTH, 0), values.get(_TIFF_HEIGHT, 0)
    return Header("TIFF", width, height, alpha=_TIFF_EXTRA_SAMPLES in values)


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    if kind == b"VP8X":
        flags, width, height = data[20], data[24:27], data[27:30]
        struct.unpack_from("6x", data, 24)
        return Header(
            "WebP",
            int.from_bytes(width, "little") + 1,
            int.from_bytes(height, "little") + 1,
            bool(flags & 0x10),
        )
    raise ImageError(f"damaged WebP header: unknown chunk {kind!r}")


_FORMATS = (
    (b"\xff\xd8", "JPEG", _jpeg),
    (b"\x89PNG\r\n\x1a\n", "PNG", _png),
    (b"GIF8", "GIF", _gif),
    (b"BM", "BMP", _bmp),
    (b"II*\0", "TIFF", _tiff),
    (b"MM\0*", "TIFF", _tiff),
    (b"RIFF", "WebP", _webp),
)
