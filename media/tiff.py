"""Structure of a TIFF 6.0: the directory of its first picture, read without decoding."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from media.errors import ImageError
from media.header import Header

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of one value by type."""
_LETTERS = {1: "B", 3: "H", 4: "I"}
"""Types of whole numbers, as `struct` names them."""
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _EXTRA_SAMPLES = 256, 257, 258, 259, 277, 338
_OFFSETS, _COUNTS = (273, 324), (279, 325)
"""Where the strips, or the tiles, are, and how many bytes each has."""
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, CCITT fax, LZW, JPEG, deflate and PackBits."""
_SMALL_TILE = 1024 * 1024
_MOST_SAMPLES = 4
_DEEP = 16


class _Entry(NamedTuple):
    letter: str
    number: int
    at: int


def read_tiff(data: bytes) -> Header:
    """Header of a TIFF; strips and tiles were checked against the bytes that are there.

    Raises:
        ImageError: the TIFF is damaged, truncated or of a kind that is not supported.
        struct.error: it ends within its header.
    """
    order = "<" if data.startswith(b"II") else ">"
    entries = _directory(data, order)

    def value(tag: int, default: int) -> int:
        values = _values(data, order, entries, tag)
        return values[0] if values else default

    width, height = value(_WIDTH, 0), value(_HEIGHT, 0)
    compression, samples = value(_COMPRESSION, 1), value(_SAMPLES, 1)
    if compression not in _COMPRESSIONS:
        raise ImageError(f"TIFF with compression {compression}, which is not supported")
    if not 1 <= samples <= _MOST_SAMPLES:
        raise ImageError(f"TIFF with {samples} values per pixel: expected 1 to {_MOST_SAMPLES}")
    tile = value(_TILE_WIDTH, 0) * value(_TILE_HEIGHT, 0)
    if tile > max(4 * width * height, _SMALL_TILE):
        raise ImageError(f"damaged TIFF: tiles of {tile} pixels in a picture of {width} x {height}")
    _check_pieces(data, order, entries)
    deep = value(_BITS, 1) >= _DEEP
    return Header("TIFF", width, height, len(data), _EXTRA_SAMPLES in entries, weight=2 if deep else 1)


def _directory(data: bytes, order: str) -> dict[int, _Entry]:
    """The entries of the first directory by tag; raises ImageError where values are not all there."""
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (number,) = struct.unpack_from(f"{order}H", data, at)
    entries: dict[int, _Entry] = {}
    for entry in range(at + 2, at + 2 + 12 * number, 12):
        tag, kind, count, place = struct.unpack_from(f"{order}HHII", data, entry)
        size = _SIZES.get(kind, 0) * count
        begin = entry + 8 if size <= 4 else place
        if begin + size > len(data):
            raise ImageError(f"truncated TIFF: tag {tag} has {size} bytes at byte {begin} of {len(data)}")
        if tag not in entries:
            entries[tag] = _Entry(_LETTERS.get(kind, ""), count, begin)
    return entries


def _values(data: bytes, order: str, entries: Mapping[int, _Entry], tag: int) -> tuple[int, ...]:
    entry = entries.get(tag)
    if entry is None or not entry.letter:
        return ()
    return struct.unpack_from(f"{order}{entry.number}{entry.letter}", data, entry.at)


def _check_pieces(data: bytes, order: str, entries: Mapping[int, _Entry]) -> None:
    for offsets_tag, counts_tag in zip(_OFFSETS, _COUNTS, strict=True):
        offsets = _values(data, order, entries, offsets_tag)
        counts = _values(data, order, entries, counts_tag)
        for offset, count in zip(offsets, counts, strict=False):
            if offset + count > len(data):
                raise ImageError(
                    f"truncated TIFF: {count} bytes of the picture at byte {offset} of {len(data)}"
                )
