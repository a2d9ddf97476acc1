"""Encoding of frames for the bus: the JPEG is the record's value, every other field is a header.

Header values are ASCII: `v`, `camera`, `epoch`, `seq`, `captured_at`, `w`, `h`, and `unchanged`, `thorough`
and `recorded` where they are not 0. `expression` and `gender` are 0 where they must not be estimated; such a
frame has version 2, so that a reader that does not know these headers refuses it. Otherwise later versions
only add fields; a reader refuses an unknown major version.
Records are untrusted: every field has a limit.
"""

from __future__ import annotations

from collections.abc import Sequence

from bus.errors import BadFrame
from bus.messages import EVERYTHING, MICROSECONDS, Frame, Switches, check_camera_id

Headers = Sequence[tuple[str, bytes]]
"""Names and values, as Kafka carries them: a name may occur several times."""

VERSION = b"1"
RESTRICTED_VERSION = b"2"
"""Of a frame of which not everything may be estimated."""
MAX_JPEG_BYTES = 2_000_000
MAX_SIDE = 4096
MAX_NUMBER = 2**63 - 1
"""The largest integer that a database column holds."""
MAX_TIME_US = 4_102_444_800 * MICROSECONDS
"""2100-01-01, the latest `captured_at`."""
MAX_AHEAD_US = 86_400 * MICROSECONDS
"""How far `captured_at` of a live camera may be in the future: one day, for clocks that are wrong."""

_JPEG_START = b"\xff\xd8"
_MAX_DIGITS = 19
_MAX_SHOWN = 40
_FLAGS = ("thorough", "recorded")
"""Headers that are 1 where this is so, and are missing otherwise."""
_SWITCHES = ("expression", "gender")
"""Headers that are 0 where this is not to be estimated, and are missing otherwise."""
_NAMES = ("v", "camera", "epoch", "seq", "captured_at", "w", "h", "unchanged", *_FLAGS, *_SWITCHES)


def encode(frame: Frame) -> tuple[Headers, bytes]:
    """The headers and the value of the record for `frame`."""
    headers = [
        ("v", VERSION if frame.switches == EVERYTHING else RESTRICTED_VERSION),
        ("camera", frame.camera_id.encode("ascii")),
        ("epoch", b"%d" % frame.epoch),
        ("seq", b"%d" % frame.seq),
        ("captured_at", b"%d" % frame.captured_at),
        ("w", b"%d" % frame.width),
        ("h", b"%d" % frame.height),
    ]
    if frame.unchanged:
        headers.append(("unchanged", b"%d" % frame.unchanged))
    headers += [(name, b"1") for name in _FLAGS if getattr(frame, name)]
    headers += [(name, b"0") for name in _SWITCHES if not getattr(frame.switches, name)]
    return headers, frame.jpeg


def decode(headers: Headers, value: bytes, latest_us: int = MAX_TIME_US) -> Frame:
    """The frame of a record. Of the JPEG only size and first bytes are checked.

    Args:
        headers: of the record.
        value: of the record.
        latest_us: the latest `captured_at` that is accepted, microseconds UTC, at most `MAX_TIME_US`.

    Raises:
        BadFrame: names the field, its value and the accepted values.
    """
    fields = _unique(headers)
    version = fields.get("v", b"")
    if version.split(b".")[0] not in (VERSION, RESTRICTED_VERSION):
        expected = f"{VERSION.decode()} or {RESTRICTED_VERSION.decode()}"
        raise BadFrame(f"v {version[:_MAX_SHOWN]!r}: expected version {expected}")
    if not value.startswith(_JPEG_START):
        raise BadFrame(f"value begins with {value[:4]!r}: expected a JPEG")
    if len(value) > MAX_JPEG_BYTES:
        raise BadFrame(f"value has {len(value)} bytes: expected at most {MAX_JPEG_BYTES}")
    try:
        return Frame(
            camera_id=_field(fields, "camera")[: 2 * _MAX_SHOWN].decode("ascii", "replace"),
            captured_at=_number(fields, "captured_at", 0, min(latest_us, MAX_TIME_US)),
            seq=_number(fields, "seq", 0, MAX_NUMBER),
            epoch=_number(fields, "epoch", 0, MAX_NUMBER),
            width=_number(fields, "w", 1, MAX_SIDE),
            height=_number(fields, "h", 1, MAX_SIDE),
            jpeg=value,
            unchanged=_number(fields, "unchanged", 0, MAX_NUMBER) if "unchanged" in fields else 0,
            switches=Switches(
                **{name: name not in fields or _number(fields, name, 0, 1) == 1 for name in _SWITCHES}
            ),
            **{name: name in fields and _number(fields, name, 0, 1) == 1 for name in _FLAGS},
        )
    except ValueError as error:
        raise BadFrame(str(error)) from error


def camera_of(headers: Headers) -> str | None:
    """The camera that a record names, for counting one that cannot be decoded; None without exactly one."""
    named = {value for name, value in headers if name == "camera"}
    return named.pop().decode("ascii", "replace") if len(named) == 1 else None


def captured_at_of(headers: Headers) -> int | None:
    """The time that a record names; None where there is no valid one."""
    try:
        return _number(_unique(headers), "captured_at", 0, MAX_TIME_US)
    except BadFrame:
        return None


def sequence_of(headers: Headers) -> tuple[str, int, int] | None:
    """Camera, epoch and sequence number that a record names; None where one of them is not valid."""
    try:
        fields = _unique(headers)
        camera_id = check_camera_id(_field(fields, "camera").decode("ascii", "replace"))
        return camera_id, _number(fields, "epoch", 0, MAX_NUMBER), _number(fields, "seq", 0, MAX_NUMBER)
    except (BadFrame, ValueError):
        return None


def _unique(headers: Headers) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    for name, value in headers:
        if name in fields and name in _NAMES:
            raise BadFrame(f"{name} occurs several times: expected once")
        fields[name] = value
    return fields


def _field(fields: dict[str, bytes], name: str) -> bytes:
    if name not in fields:
        raise BadFrame(f"{name} is missing")
    return fields[name]


def _number(fields: dict[str, bytes], name: str, least: int, most: int) -> int:
    digits = _field(fields, name)
    if not digits.isdigit() or len(digits) > _MAX_DIGITS:
        raise BadFrame(
            f"{name} {digits[:_MAX_SHOWN]!r}: expected 1 to {_MAX_DIGITS} decimal digits, {least} to {most}"
        )
    number = int(digits)
    if not least <= number <= most:
        raise BadFrame(f"{name} {number}: expected {least} to {most}")
    return number
