"""Structure of a JPEG (ITU-T T.81): its segments, scans and end, found without decoding.

A JPEG may have any number of scans, and each costs time in proportion to the pixels, not to its bytes: a
progressive JPEG of 1 MB with 45,000 scans takes 30 to 60 s to decode. Scans are therefore counted first.
"""

from __future__ import annotations

import re
import struct

from media.errors import ImageError
from media.header import Header

MOST_SCANS = 100
"""Scans of one picture. Encoders make about ten; libtiff has the same limit for the same reason."""

_MOST_SEGMENTS = 10_000
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""C0 to CF without DHT, JPG and DAC (table B.1)."""
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
"""TEM, restarts and start of image: no length follows."""
_FILL, _END_OF_IMAGE, _START_OF_SCAN = 0xFF, 0xD9, 0xDA
_FIRST_WITH_LENGTH = 0xC0
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The first marker behind a scan: neither a stuffed byte, nor a restart, nor fill."""


def read_jpeg(data: bytes) -> Header:
    """Header of a JPEG, every segment of which was checked against the bytes that are there.

    Raises:
        ImageError: the JPEG is damaged, truncated, of a kind that is not supported, or has too many scans.
        IndexError, struct.error: it ends within its header.
    """
    at, scans = 2, 0
    size: tuple[int, int, int, int] | None = None
    for _ in range(_MOST_SEGMENTS):
        if data[at] != _FILL:
            raise ImageError(f"damaged JPEG: no marker at byte {at}")
        marker = data[at + 1]
        if marker == _FILL:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker == _END_OF_IMAGE and size and scans:
            width, height, kind, components = size
            return Header(
                "JPEG",
                width,
                height,
                at + 2,
                weight=1 if scans == 1 and kind != _PROGRESSIVE else 2,
                progressive=kind != _BASELINE or scans > components,
            )
        else:
            end = _segment_end(data, at, marker)
            if marker in _STARTS_OF_FRAME:
                if size:
                    raise ImageError("damaged JPEG: it announces its size twice")
                size = _frame(data, at, marker)
            elif marker == _START_OF_SCAN:
                scans += 1
                end = _scan_end(data, end, scans, announced=size is not None)
            at = end
    raise ImageError(f"damaged JPEG: more than {_MOST_SEGMENTS} segments")


def _segment_end(data: bytes, at: int, marker: int) -> int:
    if marker < _FIRST_WITH_LENGTH or marker == _END_OF_IMAGE:
        raise ImageError(f"damaged JPEG: marker {marker:02X} at byte {at}, before the picture")
    (length,) = struct.unpack_from(">H", data, at + 2)
    end = int(at + 2 + length)
    if length < 2:
        raise ImageError(f"damaged JPEG: a segment of {length} bytes at byte {at}")
    if end > len(data):
        raise ImageError(f"a JPEG of {len(data)} bytes that ends within its header")
    return end


def _frame(data: bytes, at: int, marker: int) -> tuple[int, int, int, int]:
    """Width, height, kind and number of components."""
    precision, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
    if marker not in (_BASELINE, _EXTENDED, _PROGRESSIVE) or precision != 8:
        raise ImageError(
            f"JPEG of a kind that is not supported (marker {marker:02X}, {precision} bits): "
            "expected baseline or progressive with 8 bits"
        )
    if components not in (1, 3, 4):
        raise ImageError(f"damaged JPEG: {components} components, expected 1, 3 or 4")
    return width, height, marker, components


def _scan_end(data: bytes, begin: int, scans: int, announced: bool) -> int:
    """Offset of the marker behind a scan."""
    if not announced:
        raise ImageError("damaged JPEG: a scan comes before the picture's size")
    if scans > MOST_SCANS:
        raise ImageError(f"a JPEG of more than {MOST_SCANS} scans, the most that is accepted")
    marker = _AFTER_SCAN.search(data, begin)
    if marker is None:
        raise ImageError(f"truncated JPEG: it ends after {len(data)} bytes, before the end of the picture")
    return marker.start()
