"""Picture bombs: small files that take gigabytes or minutes in a decoder that trusts them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int, depth: int = 8, color: int = 0) -> bytes:
    """Signature and header of a PNG; `color` is 0 for grey, 2 for RGB, 6 for RGBA."""
    return _SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))


def png(width: int, height: int, depth: int = 8, color: int = 0) -> bytes:
    """A valid black PNG."""
    samples = {0: 1, 2: 3, 6: 4}[color]
    row = bytes(1 + (width * samples * depth + 7) // 8)
    compressor = zlib.compressobj(9)
    rows = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    return png_header(width, height, depth, color) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_with_false_length(announced: int = 0xFFFFFFF0, kind: bytes = b"IDAT") -> bytes:
    """57 bytes, one chunk of which announces up to 4 GB."""
    return png_header(8, 8) + struct.pack(">I4s", announced, kind) + bytes(16)


def segment(marker: int, data: bytes) -> bytes:
    """One segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_with_scans(width: int, height: int, scans: int) -> bytes:
    """A valid progressive grey JPEG: one scan for the averages, then `scans` scans that change nothing."""
    blocks = -(-width // 8) * -(-height // 8)
    # One code of one bit per table: "no difference", and "a run of up to 32,767 blocks without coefficients".
    tables = segment(0xC4, b"\x00" + bytes([1, *[0] * 15]) + b"\x00")
    tables += segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\xe0")
    frame = segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00")
    averages = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + _entropy("0" * blocks)
    runs = blocks // 32_000 + 1
    empty = segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + _entropy(("0" + "1" * 13 + "0") * runs)
    quantisation = segment(0xDB, b"\x00" + bytes([1] * 64))
    return b"\xff\xd8" + quantisation + frame + tables + averages + empty * scans + b"\xff\xd9"


def _entropy(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG whose header announces another size."""
    data = bytearray(cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff(entries: Mapping[int, int], data: bytes = bytes(64)) -> bytes:
    """A TIFF with these tags as 32-bit numbers, and `data` behind the directory."""
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + data


def _tiff_of_size(width: int, height: int) -> bytes:
    return tiff({256: width, 257: height, 258: 8, 262: 1, 273: 130, 277: 1, 278: height, 279: 64})


def _tiff_tiles() -> bytes:
    tags = {256: 64, 257: 64, 258: 8, 262: 1, 277: 1, 322: 1 << 20, 323: 1 << 14, 324: 150, 325: 64}
    return tiff(tags)


def _tiff_values() -> bytes:
    """A table of strips of 16 GB."""
    data = bytearray(tiff({256: 64, 257: 64, 258: 8, 262: 1, 273: 130, 277: 1, 278: 1, 279: 64}))
    at = data.index(struct.pack("<HH", 279, 4))
    data[at + 4 : at + 8] = struct.pack("<I", 0xFFFFFFFF)
    return bytes(data)


def _bmp_of_size(width: int, height: int, compression: int = 0) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, 0, 0, 0, 256, 0)
    head = b"BM" + struct.pack("<IHHI", 14 + len(info) + 1024 + 64, 0, 0, 14 + len(info) + 1024)
    return head + info + bytes(1024) + bytes(64)


def _webp_of_size() -> bytes:
    """A lossless picture of one colour, of the largest size that the format allows."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "WEBP", lossless=True)
    data = bytearray(buffer.getvalue())
    data[21:25] = struct.pack("<I", 16_383 | 16_383 << 14)
    return bytes(data)


def _webp_with_false_length() -> bytes:
    data = bytearray(cv2.imencode(".webp", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    data[16:20] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


def _gif_of_size() -> bytes:
    buffer = io.BytesIO()
    Image.new("P", (64, 64)).save(buffer, "GIF")
    data = bytearray(buffer.getvalue())
    data[6:10] = struct.pack("<HH", 65_535, 65_535)
    return bytes(data)


BOMBS: Mapping[str, Callable[[], bytes]] = MappingProxyType(
    {
        "false-length.png": png_with_false_length,
        "false-length-2gb.png": lambda: png_with_false_length(0x7FFFFFFF),
        "false-length-exif.png": lambda: png_with_false_length(0x7FFFFFFF, b"eXIf"),
        "30000-square.png": lambda: png(30_000, 30_000, depth=1),
        "deep-transparent.png": lambda: (
            png_header(10_000, 12_000, 16, 6)
            + chunk(b"IDAT", zlib.compress(bytes(1000)))
            + chunk(b"IEND", b"")
        ),
        "45000-scans.jpg": lambda: jpeg_with_scans(4000, 2300, 45_000),
        "65500-square.jpg": lambda: jpeg_of_size(65_500, 65_500),
        "size.tif": lambda: _tiff_of_size(1 << 30, 1 << 30),
        "tiles.tif": _tiff_tiles,
        "values.tif": _tiff_values,
        "size.bmp": lambda: _bmp_of_size(29_000, 29_000),
        "truncated.bmp": lambda: _bmp_of_size(29_000, 4000),
        "run-length.bmp": lambda: _bmp_of_size(29_000, 29_000, compression=1),
        "size.webp": _webp_of_size,
        "false-length.webp": _webp_with_false_length,
        "size.gif": _gif_of_size,
    }
)
"""File name and content; every one must be refused at every door."""
