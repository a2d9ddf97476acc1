from __future__ import annotations

import pytest

from bus import codec
from bus.errors import BadFrame
from bus.messages import CameraMinute, Estimate, Frame, Visit, minute_of

FRAME = Frame("entrance", 1_700_000_000_000_000, 7, 1_699_999_999_000_000, 640, 480, b"\xff\xd8\xff\xe0body")


def test_a_frame_comes_back_as_it_was() -> None:
    assert codec.decode(*codec.encode(FRAME)) == FRAME


def test_fields_that_a_later_version_adds_are_ignored() -> None:
    headers, value = codec.encode(FRAME)
    assert codec.decode({**headers, "v": b"1.4", "lens": b"wide"}, value) == FRAME


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("v", b"2"),
        ("camera", b"No Such Name!"),
        ("seq", b"-1"),
        ("seq", b"9" * 30),
        ("captured_at", b"yesterday"),
        ("w", b"0"),
        ("h", b"100000"),
    ],
)
def test_a_bad_header_is_named(field: str, found: bytes) -> None:
    headers, value = codec.encode(FRAME)
    with pytest.raises(BadFrame, match=field):
        codec.decode({**headers, field: found}, value)


@pytest.mark.parametrize("field", ["v", "camera", "epoch", "seq", "captured_at", "w", "h"])
def test_a_missing_header_is_named(field: str) -> None:
    headers, value = codec.encode(FRAME)
    del headers[field]
    with pytest.raises(BadFrame, match=field):
        codec.decode(headers, value)


@pytest.mark.parametrize("value", [b"", b"GIF89a", b"\xff\xd8" + b"0" * codec.MAX_JPEG_BYTES])
def test_what_cannot_be_a_frame_is_refused(value: bytes) -> None:
    headers, _ = codec.encode(FRAME)
    with pytest.raises(BadFrame, match="value"):
        codec.decode(headers, value)


def test_messages_refuse_what_cannot_be_stored() -> None:
    estimate = Estimate({"happiness": 0.75, "neutral": 0.25}, 0.5, "happiness", "unknown")
    with pytest.raises(ValueError, match="last_seen"):
        Visit("v", "till", 2, 1, 3, 40.0, 0.9, estimate, "model", closed=False)
    with pytest.raises(ValueError, match="sum"):
        Estimate({"happiness": 0.75}, 0.5, "happiness", "unknown")
    with pytest.raises(ValueError, match="minute"):
        CameraMinute("till", minute=61)
    with pytest.raises(ValueError, match="camera id"):
        CameraMinute("../etc", minute=0)
    assert minute_of(119_999_999) == 60_000_000
