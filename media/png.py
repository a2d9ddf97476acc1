"""Structure of a PNG (ISO/IEC 15948): its chunks, found without decoding.

A decoder may allocate what a chunk's length announces before it reads the chunk: a PNG of 57 bytes took
4 GB. Lengths are therefore compared with the bytes that are there.
"""

from __future__ import annotations

import struct

from media.errors import ImageError
from media.header import Header

_SIGNATURE_BYTES = 8
_AROUND_CHUNK = 12
"""Bytes of a chunk besides its data: length, type and checksum."""
_MOST_CHUNKS = 65_536
_HEADER_BYTES = 13
_ALPHA_TYPES = (4, 6)
_DEEP = 16


def read_png(data: bytes) -> Header:
    """Header of a PNG, every chunk of which was checked against the bytes that are there.

    Raises:
        ImageError: the PNG is damaged or truncated.
        struct.error: it ends within its header.
    """
    length, kind, width, height, depth, color = struct.unpack_from(">I4sIIBB", data, _SIGNATURE_BYTES)
    if (length, kind) != (_HEADER_BYTES, b"IHDR"):
        raise ImageError(
            f"damaged PNG: its first chunk is {kind!r} of {length} bytes, expected b'IHDR' of 13"
        )
    kinds, end = _chunks(data)
    if b"IDAT" not in kinds:
        raise ImageError("damaged PNG: it has no picture data")
    alpha = color in _ALPHA_TYPES or b"tRNS" in kinds
    return Header(
        "PNG",
        width,
        height,
        end,
        alpha=alpha,
        weight=2 if b"acTL" in kinds or (alpha and depth == _DEEP) else 1,
    )


def _chunks(data: bytes) -> tuple[set[bytes], int]:
    """The types of all chunks, and the number of bytes up to the end of the last one."""
    at = _SIGNATURE_BYTES
    kinds: set[bytes] = set()
    for _ in range(_MOST_CHUNKS):
        if at + _AROUND_CHUNK > len(data):
            raise ImageError(f"truncated PNG: it ends after {len(data)} bytes, without an end chunk")
        length, kind = struct.unpack_from(">I4s", data, at)
        there = len(data) - at - _AROUND_CHUNK
        if length > there:
            raise ImageError(f"truncated PNG: chunk {kind!r} announces {length} bytes, {there} are there")
        at += _AROUND_CHUNK + length
        if kind == b"IEND":
            return kinds, at
        kinds.add(kind)
    raise ImageError(f"damaged PNG: more than {_MOST_CHUNKS} chunks")
