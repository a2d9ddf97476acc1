"""Splitter: the bytes of an endless HTTP answer to JPEG pictures, tolerant of the framing that cameras use.

By the book (RFC 2046, section 5.1) a stream consists of parts between delimiters, and each part has header
lines and a body. Cameras deviate: another delimiter than announced or none, LF alone, missing line breaks,
wrong lengths. A picture therefore ends where JPEG's own structure ends (ITU-T T.81, annex B); delimiters and
lengths only help where that structure is damaged or its end marker is missing. No picture waits for the
delimiter behind it.

A part that holds no whole picture is returned as it is: the decoder refuses it, and it is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ingest.errors import SourceLost

_START = b"\xff\xd8\xff"
"""Start of image, and the first byte of the next marker."""
_DELIMITER = re.compile(
    # Two dashes and a name, a line break, then what begins a part: a header line, a body, its blank line.
    # A name has two dashes at its ends alone, and nothing is tried twice: the time is linear in the bytes.
    rb"(?<!-)--(?:-*+)(?:-?[ -,.-~]){0,200}+-*+(?:\r\n|\r|\n)(?=[a-z][a-z0-9-]*+[ \t]*+:|[\r\n]|\xff\xd8)"
    # Without a delimiter: a header line of a part.
    rb"|(?<![^\r\n])(?=content-(?:type|length)[ \t]*+:)",
    re.IGNORECASE,
)
_PART = re.compile(rb"(?P<picture>\xff\xd8\xff)|" + _DELIMITER.pattern, re.IGNORECASE)
_LONGEST_DELIMITER = 512
_LONGEST_HEADER = 16_384
_MOST_FIELDS = 64
_LINE_BREAKS = re.compile(rb"[\r\n]*+")

_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The first marker behind a scan: neither a stuffed byte, nor a restart, nor fill (T.81, B.1.1.5)."""
_FILL, _START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xFF, 0xD8, 0xD9, 0xDA
_END = b"\xff\xd9"
_FIRST_WITH_LENGTH = 0xC0
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_BETWEEN_SCANS = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
"""Tables, the next scan, the number of lines, comments and application data."""


class PictureSplitter:
    """Takes bytes as they arrive and returns pictures, each once it is whole.

    Args:
        most_bytes: of one picture. It bounds the memory too, besides the bytes that were fed last.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._buffer = bytearray()
        self._picture: bytes | None = None
        self._step: Callable[[], bool] = self._find_part
        """What is done next; returns whether it ended, False where it needs more bytes."""
        self._header = _PartHeader()
        self._structure = _JpegStructure()
        self._searched = 0
        self._tail = 0
        self._since_picture = 0

    def feed(self, data: bytes) -> None:
        """Add the next bytes of the answer."""
        self._buffer += data
        self._since_picture += len(data)

    def next_picture(self) -> bytes | None:
        """The next picture, or part without a whole picture; None until more bytes are fed.

        Raises:
            SourceLost: there is none within `most_bytes`.
        """
        while self._picture is None and self._step():
            pass
        picture, self._picture = self._picture, None
        if picture is not None:
            self._since_picture = len(self._buffer)
        elif self._since_picture > self._most:
            what = "no picture that ends" if self._is_in_body else "no picture"
            raise SourceLost(
                f"the camera sends no MJPEG: {what} within {self._most} bytes, the most that is accepted"
            )
        return picture

    def finish(self) -> bytes | None:
        """At the end of the answer: the part that was being read, such as a picture without an end marker."""
        part = bytes(self._buffer) if self._is_in_body else b""
        self._buffer.clear()
        self._go(self._find_part)
        return part or None

    @property
    def _is_in_body(self) -> bool:
        return self._step in (self._read_picture, self._read_broken_picture, self._read_other_body)

    def _find_part(self) -> bool:
        """Skip to a delimiter or to a picture, whichever is first; a picture counts only behind the tail."""
        part = self._next_part(0, self._tail)
        if part:
            self._header = _PartHeader()
            self._skip(part.start() if part.lastgroup else part.end())
            return self._begin_picture() if part.lastgroup else self._go(self._read_header)
        self._skip(len(self._buffer) - _LONGEST_DELIMITER)
        return False

    def _read_header(self) -> bool:
        """Take the header lines of a part, up to a blank line or to the picture itself."""
        line_end = self._buffer.find(b"\n")
        start = self._buffer.find(_START, 0, line_end if line_end >= 0 else len(self._buffer))
        if start >= 0:
            self._header.add(self._take(start))
            return self._go(self._read_body)
        if line_end < 0:
            if len(self._buffer) > _LONGEST_HEADER:
                raise SourceLost("the camera sends no MJPEG: the header of a part does not end")
            return False
        line = self._take(line_end + 1).strip()
        if not line:
            return self._go(self._read_body)
        self._header.add(line)
        return True

    def _read_body(self) -> bool:
        """Decide whether the body of a part is a picture, a further header, or something else."""
        line_breaks = _LINE_BREAKS.match(self._buffer)
        self._skip(line_breaks.end() if line_breaks else 0)
        if len(self._buffer) < len(_START):
            return False
        if self._buffer.startswith(_START):
            return self._begin_picture()
        return self._go(self._find_part if _DELIMITER.match(self._buffer) else self._read_other_body)

    def _read_other_body(self) -> bool:
        """Take a body that does not begin as a picture: up to a picture within it, or to the next part."""
        part = self._next_part(self._searched, self._searched)
        if part is None:
            return self._keep_searching()
        body = self._take(part.start()).strip(b"\r\n")
        if part.lastgroup:
            return self._begin_picture()
        if body and self._header.may_be_picture:
            self._picture = body
        return self._go(self._find_part)

    def _begin_picture(self) -> bool:
        self._structure = _JpegStructure()
        return self._go(self._read_picture)

    def _read_picture(self) -> bool:
        """Take a picture up to its end marker, or to its announced length if the next part follows there."""
        end = self._structure.find_end(self._buffer)
        length = self._header.length
        if end is None and length and self._next_part_follows(length):
            end = length
        if end is not None:
            return self._finish_picture(end)
        if self._structure.broken_at is not None:
            return self._go(self._read_broken_picture)
        return False

    def _read_broken_picture(self) -> bool:
        """Take a picture with a damaged structure, or without an end marker, up to the next part.

        Before the damage another picture does not count: the header of a picture may hold a small copy of it.
        """
        damage = self._structure.broken_at or 0
        part = self._next_part(self._searched, max(damage, len(_START)))
        return self._finish_picture(part.start()) if part else self._keep_searching()

    def _next_part(self, searched: int, picture_from: int) -> re.Match[bytes] | None:
        """The first delimiter from `searched` on, or picture from `picture_from` on."""
        part = _PART.search(self._buffer, searched)
        while part and part.lastgroup and part.start() < picture_from:
            part = _PART.search(self._buffer, part.end())
        return part

    def _next_part_follows(self, length: int) -> bool:
        line_breaks = _LINE_BREAKS.match(self._buffer, length)
        return line_breaks is not None and _DELIMITER.match(self._buffer, line_breaks.end()) is not None

    def _finish_picture(self, end: int) -> bool:
        self._picture = self._take(end)
        self._go(self._find_part)
        self._tail = max(0, (self._header.length or 0) - end)
        return True

    def _keep_searching(self) -> bool:
        self._searched = max(self._searched, len(self._buffer) - _LONGEST_DELIMITER)
        return False

    def _go(self, step: Callable[[], bool]) -> bool:
        self._step = step
        self._searched = self._tail = 0
        return True

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _skip(self, size: int) -> None:
        if size > 0:
            del self._buffer[:size]
            self._tail = max(0, self._tail - size)


class _PartHeader:
    """Header lines of one part.

    Attributes:
        length: the announced length of the body in bytes; None where none, or no plausible one, is announced.
        may_be_picture: whether the announced type is that of a picture, or none is announced.
    """

    def __init__(self) -> None:
        self.length: int | None = None
        self.may_be_picture = True
        self._fields = 0
        self._bytes = 0

    def add(self, line: bytes) -> None:
        """Take one line; raises SourceLost where there are too many."""
        self._fields += 1
        self._bytes += len(line)
        if self._fields > _MOST_FIELDS or self._bytes > _LONGEST_HEADER:
            raise SourceLost("the camera sends no MJPEG: the header of a part does not end")
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        if name == b"content-length":
            # A picture of more than eight digits is not accepted: such a length is wrong.
            self.length = int(value) if value.isdigit() and len(value) <= 8 else None
        elif name == b"content-type":
            self.may_be_picture = value.lower().startswith(b"image/")


class _JpegStructure:
    """Structure of one JPEG at the start of a growing buffer, followed from marker to marker.

    Attributes:
        broken_at: offset where the structure is damaged or another picture begins, None as long as it is
        whole.
    """

    def __init__(self) -> None:
        self.broken_at: int | None = None
        self._in_scan = False
        self._at = 2

    def find_end(self, data: bytearray) -> int | None:
        """Offset behind the end marker; None where more bytes are needed or the structure is damaged."""
        while self.broken_at is None:
            if self._in_scan:
                marker = _AFTER_SCAN.search(data, self._at)
                self._at = marker.start() if marker else max(self._at, len(data) - 1)
            if data.startswith(_END, self._at):
                return self._at + len(_END)
            if len(data) < self._at + 4:
                return None
            if self._in_scan and data[self._at + 1] not in _BETWEEN_SCANS:
                self._pass_stray_marker(data)
            else:
                self._pass_segment(data)
        return None

    def _pass_stray_marker(self, data: bytearray) -> None:
        """Within a scan, decoders tolerate every marker but the start of another picture."""
        if data.startswith(_START, self._at):
            self.broken_at = self._at
        self._at += 2

    def _pass_segment(self, data: bytearray) -> None:
        fill, marker = data[self._at], data[self._at + 1]
        length = int.from_bytes(data[self._at + 2 : self._at + 4])
        if fill == _FILL == marker:
            self._at += 1
        elif fill == _FILL and marker in _WITHOUT_LENGTH:
            self._at += 2
        elif fill != _FILL or marker < _FIRST_WITH_LENGTH or marker == _START_OF_IMAGE or length < 2:
            self.broken_at = self._at
        else:
            self._at += 2 + length
            self._in_scan = marker == _START_OF_SCAN
