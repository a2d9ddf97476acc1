"""Frames to and from what lies on the bus: the JPEG as the value, everything else as headers.

The headers are ASCII bytes: `v`, `camera`, `epoch`, `seq`, `captured_at`, `w`, `h`. Fields are only ever
added; a reader refuses a major version that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping

from bus.errors import BadFrame
from bus.messages import Frame

VERSION = b"1"
MAX_JPEG_BYTES = 2_000_000
MAX_SIDE = 4096
_JPEG_START = b"\xff\xd8"


def encode(frame: Frame) -> tuple[dict[str, bytes], bytes]:
    """The headers and the value for `frame`."""
    headers = {
        "v": VERSION,
        "camera": frame.camera_id.encode("ascii"),
        "epoch": b"%d" % frame.epoch,
        "seq": b"%d" % frame.seq,
        "captured_at": b"%d" % frame.captured_at,
        "w": b"%d" % frame.width,
        "h": b"%d" % frame.height,
    }
    return headers, frame.jpeg


def decode(headers: Mapping[str, bytes], value: bytes) -> Frame:
    """The frame behind `headers` and `value`.

    The JPEG is looked at from outside only (size, first bytes): decoding it is the worker's work.

    Raises:
        BadFrame: naming the field, what it holds and what was expected.
    """
    version = headers.get("v", b"")
    if version.split(b".")[0] != VERSION:
        raise BadFrame(f"v {version!r}: this reader knows version {VERSION.decode()} only")
    if not value.startswith(_JPEG_START):
        raise BadFrame(f"value begins with {value[:4]!r}: expected a JPEG")
    if len(value) > MAX_JPEG_BYTES:
        raise BadFrame(f"value has {len(value)} bytes: at most {MAX_JPEG_BYTES} are accepted")
    try:
        return Frame(
            camera_id=_text(headers, "camera"),
            captured_at=_number(headers, "captured_at"),
            seq=_number(headers, "seq"),
            epoch=_number(headers, "epoch"),
            width=_side(headers, "w"),
            height=_side(headers, "h"),
            jpeg=value,
        )
    except ValueError as error:
        raise BadFrame(str(error)) from error


def camera_of(headers: Mapping[str, bytes]) -> str | None:
    """The camera that a record claims to be of, for counting one that cannot be decoded."""
    return headers.get("camera", b"").decode("ascii", "replace") or None


def _text(headers: Mapping[str, bytes], name: str) -> str:
    if name not in headers:
        raise BadFrame(f"{name} is missing")
    return headers[name].decode("ascii", "replace")


def _number(headers: Mapping[str, bytes], name: str) -> int:
    text = _text(headers, name)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadFrame(f"{name} {text[:40]!r}: expected a whole number")
    return int(text)


def _side(headers: Mapping[str, bytes], name: str) -> int:
    side = _number(headers, name)
    if not 1 <= side <= MAX_SIDE:
        raise BadFrame(f"{name} {side}: expected 1 to {MAX_SIDE} pixels")
    return side
