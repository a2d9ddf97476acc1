"""Traces of pictures and of feature vectors in bytes and texts, also where they are encoded as text.

Found are the beginnings of picture files, as bytes, base64, hexadecimal digits or escaped bytes, and long
rows of numbers. Encrypted and compressed data cannot be recognised.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

import numpy as np

SHORTEST = 24
"""Bytes or characters below which a value holds neither a picture nor a vector."""

VECTOR = 32
"""Numbers from which on a row of them is a vector: more than the estimate of one face has."""

OVERLAP = 4096
"""Bytes by which neighbouring parts of a file overlap, so that no beginning is missed between two."""

_BEGINNINGS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    # Start of image, then a segment; `_is_jpeg` follows its length.
    ("JPEG", re.compile(rb"\xff\xd8\xff[\xc0-\xcf\xdb\xdd\xe0-\xef\xfe]")),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("GIF", re.compile(rb"GIF8[79]a[^\x00]?[\x00-\xff]{5}")),
    ("WebP", re.compile(rb"RIFF[\x00-\xff]{4}WEBPVP8")),
    ("BMP", re.compile(rb"BM[\x00-\xff]{4}\x00{4}[\x00-\xff]{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00")),
    ("TIFF", re.compile(rb"II\x2a\x00[\x00-\xff]{3}\x00|MM\x00\x2a\x00[\x00-\xff]{3}")),
    ("HEIF or AVIF", re.compile(rb"ftyp(?:heic|heix|mif1|msf1|avif|avis)")),
    ("JPEG 2000", re.compile(rb"\x00\x00\x00\x0cjP  \r\n\x87\n")),
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{32,}(?:(?:\\?[rn]|\s){1,4}[A-Za-z0-9+/_-]{4,})*")
_NO_BASE64 = re.compile(rb"\\[rn]|[^A-Za-z0-9+/]")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}){20,}")
_ESCAPED = re.compile(rb"(?:\\x[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}|\\[^xu]|[ -\[\]-~]){12,}")
_ESCAPE = re.compile(rb"\\(?:x|u00)([0-9A-Fa-f]{2})|\\([^xu])")
_CONTROL = {
    b"r": b"\r",
    b"n": b"\n",
    b"t": b"\t",
    b"0": b"\0",
    b"b": b"\b",
    b"f": b"\f",
    b"a": b"\a",
    b"v": b"\v",
}
_NUMBERS = re.compile(
    rb"(?:[-+]?\d{0,8}\.\d{1,30}(?:[eE][-+]?\d{1,3})?[\s,;|]{1,8}){%d}[-+]?\d{0,8}\.\d" % (VECTOR - 1)
)
_LONGEST_DECODED = 1 << 16
"""Characters of one encoded run that are decoded: a picture is recognised by its beginning."""

_LEAST, _MOST = 1e-6, 1e3
"""The sizes of numbers in feature vectors, apart from 0."""


def find_traces(content: bytes) -> list[str]:
    """What `content` may contain: names of picture formats, "vector", each once, with the encoding."""
    if len(content) < SHORTEST:
        return []
    found = dict.fromkeys(_pictures(content))
    for encoding, decoded in _decoded(content):
        found |= dict.fromkeys(f"{name} as {encoding}" for name in _pictures(decoded))
        if encoding == "base64" and is_vector(decoded):
            found["vector as base64"] = None
    if _NUMBERS.search(content):
        found["vector as text"] = None
    return list(found)


def find_in_value(value: object) -> list[str]:
    """What one value of a table may contain; rows of numbers are vectors, also in a binary value."""
    if isinstance(value, str):
        return find_traces(value.encode("utf-8", "surrogateescape")) or _as_single_bytes(value)
    if isinstance(value, bytes | bytearray | memoryview):
        content = bytes(value)
        return find_traces(content) + (["vector"] if is_vector(content) else [])
    if isinstance(value, dict):
        return [trace for each in value.values() for trace in find_in_value(each)]
    if isinstance(value, Sequence):
        if len(value) >= VECTOR and all(isinstance(each, float | int) for each in value):
            return ["vector"]
        return [trace for each in value for trace in find_in_value(each)]
    return []


def is_vector(content: bytes) -> bool:
    """Whether bytes look like an array of floating-point numbers, as feature vectors are stored."""
    for kind, size in (("<f4", 4), ("<f8", 8), (">f4", 4), (">f8", 8)):
        if len(content) < VECTOR * size or len(content) % size:
            continue
        numbers = np.frombuffer(content, kind)
        with np.errstate(invalid="ignore"):
            sizes = np.abs(numbers[numbers != 0])
        if len(sizes) >= VECTOR // 2 and bool(np.all((sizes > _LEAST) & (sizes < _MOST))):
            return True
    return False


def _as_single_bytes(value: str) -> list[str]:
    """Traces in a text of which each character is a byte (Latin-1)."""
    if value.isascii():
        return []
    try:
        return list(dict.fromkeys(_pictures(value.encode("latin-1"))))
    except UnicodeEncodeError:
        return []


def _pictures(content: bytes) -> Iterator[str]:
    for name, beginning in _BEGINNINGS:
        places = (match.start() for match in beginning.finditer(content))
        if any(name != "JPEG" or _is_jpeg(content, place) for place in places):
            yield name


def _is_jpeg(content: bytes, place: int) -> bool:
    """Whether the first segment is followed by another one, as far as the bytes reach."""
    head = content[place + 4 : place + 6]
    if len(head) < 2:
        return False
    length = int.from_bytes(head, "big")
    after = place + 4 + length
    return length >= 2 and (after >= len(content) or content[after] == 0xFF)


def _decoded(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Runs of text that may be encoded bytes, decoded."""
    for match in _HEX.finditer(content):
        digits = match[0][:_LONGEST_DECODED]
        for run in (digits, digits[1:]):
            yield "hexadecimal digits", binascii.unhexlify(run[: len(run) // 2 * 2])
    for match in _BASE64.finditer(content):
        letters = match[0][:_LONGEST_DECODED].replace(b"-", b"+").replace(b"_", b"/")
        letters = _NO_BASE64.sub(b"", letters)
        # The run may begin with letters that do not belong to it, such as the end of a word.
        for shift in range(4):
            run = letters[shift:]
            run = run[: len(run) - (len(run) % 4 == 1)]
            yield "base64", base64.b64decode(run + b"=" * (-len(run) % 4))
    if b"\\x" in content or b"\\u00" in content:
        for match in _ESCAPED.finditer(content):
            yield "escaped bytes", _ESCAPE.sub(_unescape, match[0][: 4 * _LONGEST_DECODED])


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else _CONTROL.get(match[2], match[2])
