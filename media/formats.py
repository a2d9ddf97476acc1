"""Formats of pictures, told apart by their first bytes; each has a parser of its header.

Six are known: JPEG (ITU-T T.81), PNG (ISO/IEC 15948), GIF 89a, Windows BMP, TIFF 6.0 and WebP (RFC 9649).
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from media.errors import ImageError
from media.header import FORMATS, Header
from media.jpeg import read_jpeg
from media.png import read_png
from media.tiff import read_tiff
from media.webp import read_webp

_CORE_BMP_HEADER = 12
_UNCOMPRESSED_BMP = (0, 3, 6)
"""Plain rows, with or without masks for the colours."""


def read_header(data: bytes, formats: Collection[str] = FORMATS) -> Header:
    """Header of an encoded picture; its pieces were checked against the bytes that are there.

    Raises ImageError where the format is unknown or not among `formats`, or the picture is damaged.
    """
    for signature, name, parse in _PARSERS:
        if data.startswith(signature) and (name != "WebP" or data[8:12] == b"WEBP"):
            if name not in formats:
                raise ImageError(f"{name}: expected {_listed(formats)}")
            try:
                header = parse(data)
            except (struct.error, IndexError):
                raise ImageError(f"a {name} of {len(data)} bytes that ends within its header") from None
            if header.width < 1 or header.height < 1:
                raise ImageError(f"{name} header announces {header.width} x {header.height} pixels")
            return header
    if not data:
        raise ImageError("an empty file")
    raise ImageError(
        f"not a picture: {len(data)} bytes that begin with {data[:4]!r}, expected {_listed(formats)}"
    )


def _listed(formats: Collection[str]) -> str:
    *most, last = [name for name in ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WebP") if name in formats]
    return f"{', '.join(most)} or {last}" if most else last


def _read_gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", width, height, len(data), alpha=True, weight=2)


def _read_bmp(data: bytes) -> Header:
    begin, length = struct.unpack_from("<II", data, 10)
    if length == _CORE_BMP_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        height = abs(height)
    needed = begin + (width * bits + 31) // 32 * 4 * height
    if compression in _UNCOMPRESSED_BMP and needed > len(data):
        raise ImageError(
            f"truncated BMP: {width} x {height} pixels take {needed} bytes, {len(data)} are there"
        )
    return Header("BMP", width, height, len(data))


_PARSERS = (
    (b"\xff\xd8", "JPEG", read_jpeg),
    (b"\x89PNG\r\n\x1a\n", "PNG", read_png),
    (b"GIF8", "GIF", _read_gif),
    (b"BM", "BMP", _read_bmp),
    (b"II*\0", "TIFF", read_tiff),
    (b"MM\0*", "TIFF", read_tiff),
    (b"RIFF", "WebP", read_webp),
)
