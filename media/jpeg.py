"""Whether a JPEG (ITU-T T.81) is whole, and whether decoding it takes long.

A JPEG may have any number of scans, and each costs time in proportion to the pixels, not to its bytes: a
progressive JPEG of 1 MB with 45,000 scans takes 30 to 130 s to decode. Scans are therefore counted first.

Behind a picture there may be anything, such as the film of a motion photo, in which what looks like a scan
occurs by chance.
"""

from __future__ import annotations

import re

import av

from media.errors import ImageError

MOST_SCANS = 100
"""Scans of one picture. Encoders make about ten; libtiff has the same limit for the same reason."""
END = b"\xff\xd9"

_START_OF_SCAN = b"\xff\xda"
_PROGRESSIVE = b"\xff\xc2"
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
"""A marker that a length follows, or the end marker; not a stuffed byte, a restart or fill."""
_SCAN = re.compile(rb"\xff\xda\0.([\1-\4])(.{11})", re.DOTALL)
"""Header of a scan: its length, the number of components, and what is read of each."""
_COEFFICIENTS = 64
_NOT_THERE = 15
_STUFFED = b"\xff"
_PADDING = b"\0\r\n "


def limit_scans(data: bytes) -> bytes:
    """A JPEG with at most `MOST_SCANS` scans, however a decoder reads it: what is behind it may be left out.

    Raises:
        ImageError: it has more scans.
    """
    # Within a scan every FF is followed by 00 or a restart marker, so that no scan is counted twice.
    if data.count(_START_OF_SCAN) <= MOST_SCANS:
        return data
    # Decoders differ in which segments they skip. They get nothing that is not counted.
    picture = data[: _find_end(data)]
    if picture.count(_START_OF_SCAN) > MOST_SCANS:
        raise ImageError(f"a JPEG of more than {MOST_SCANS} scans, the most that is accepted")
    return picture


def has_end(data: bytes) -> bool:
    """Whether an end marker follows the last scan."""
    return data.rfind(END) > data.rfind(_START_OF_SCAN)


def complete(data: bytes) -> bytes:
    """A JPEG without an end marker, with one; bytes of padding behind the picture are left out.

    Raises:
        ImageError: it is truncated: parts of the picture are missing.
    """
    ended = data.rstrip(_PADDING)
    if ended.endswith(_STUFFED) and len(ended) < len(data):
        ended = data[: len(ended) + 1]
    ended += END
    if not (is_whole(ended) and _has_all_scans(ended)):
        raise ImageError(f"truncated JPEG: it ends after {len(data)} bytes, within the picture")
    return ended


def is_whole(data: bytes) -> bool:
    """Whether the data of a JPEG suffices for every part of the picture and fits together.

    libjpeg fills missing parts without an error; FFmpeg's decoder reports them. It supports fewer kinds: one
    that it does not know counts as whole. The size must have been checked.
    """
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode"}
    try:
        return bool(decoder.decode(av.Packet(data)))
    except av.InvalidDataError:
        return False
    except av.FFmpegError:
        return True


def _find_end(data: bytes) -> int:
    """Where a JPEG ends: behind the first end marker that is not within a segment, such as a thumbnail's."""
    at = scans = 0
    while scans <= MOST_SCANS and (marker := _MARKER.search(data, at)):
        if marker[0] == END:
            return marker.end()
        scans += marker[0] == _START_OF_SCAN
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return len(data)


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans of a progressive JPEG give every coefficient in full (T.81, G.1.1.1)."""
    if _PROGRESSIVE not in data:
        return True
    bits: dict[int, list[int]] = {}
    for scan in _SCAN.finditer(data):
        number, header = scan[1][0], scan[2]
        first, last, precision = header[2 * number : 2 * number + 3]
        for component in header[: 2 * number : 2]:
            missing = bits.setdefault(component, [_NOT_THERE] * _COEFFICIENTS)
            missing[first : last + 1] = [precision & 0xF] * (last + 1 - first)
    return all(missing == [0] * _COEFFICIENTS for missing in bits.values())
