"""Structure of a WebP (RFC 9649): its chunks, found without decoding."""

from __future__ import annotations

import struct

from media.errors import ImageError
from media.header import Header

_MOST_CHUNKS = 65_536
_RIFF_BYTES = 8
_FIRST_CHUNK = 12
_START_CODE = b"\x9d\x01\x2a"
_ALPHA, _ANIMATED = 0x10, 0x02


def read_webp(data: bytes) -> Header:
    """Header of a WebP, every chunk of which was checked against the bytes that are there.

    Raises:
        ImageError: the WebP is damaged, truncated or of an unknown kind.
        IndexError, struct.error: it ends within its header.
    """
    kind = data[12:16]
    if kind not in (b"VP8 ", b"VP8L", b"VP8X"):
        raise ImageError(f"damaged WebP: unknown chunk {kind!r}")
    end = _end(data)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        if data[23:26] != _START_CODE:
            raise ImageError("damaged WebP: its picture does not begin with a key frame")
        return Header("WebP", width & 0x3FFF, height & 0x3FFF, end)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, end, bool(bits >> 28 & 1))
    flags, wide, high = data[20], data[24:27], data[27:30]
    struct.unpack_from("6x", data, 24)
    return Header(
        "WebP",
        int.from_bytes(wide, "little") + 1,
        int.from_bytes(high, "little") + 1,
        end,
        alpha=bool(flags & _ALPHA),
        weight=2 if flags & _ANIMATED else 1,
    )


def _end(data: bytes) -> int:
    """Number of bytes of the file's outer chunk; raises ImageError where one within it is not all there."""
    (length,) = struct.unpack_from("<I", data, 4)
    end = _RIFF_BYTES + int(length)
    if end > len(data):
        raise ImageError(f"truncated WebP: it announces {end} bytes, {len(data)} are there")
    at = _FIRST_CHUNK
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            return end
        kind, size = struct.unpack_from("<4sI", data, at)
        if at + 8 + size > end:
            raise ImageError(
                f"truncated WebP: chunk {kind!r} announces {size} bytes, {end - at - 8} are there"
            )
        at += 8 + size + size % 2
    raise ImageError(f"damaged WebP: more than {_MOST_CHUNKS} chunks")
