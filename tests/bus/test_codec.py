"""Frames to records and back; every field of an untrusted record has limits."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from bus import codec
from bus.codec import MAX_NUMBER, MAX_SIDE, MAX_TIME_US, Headers
from bus.errors import BadFrame
from bus.messages import CameraMinute, Estimate, Frame, Switches, Visit, minute_of

JPEG = b"\xff\xd8\xff\xe0body"
FRAME = Frame(
    "entrance",
    1_700_000_000_000_000,
    7,
    1_699_999_999_000_000,
    640,
    480,
    JPEG,
    unchanged=14,
    thorough=True,
    recorded=True,
)
NAMES = ("v", "camera", "epoch", "seq", "captured_at", "w", "h")
NUMBERS = ("epoch", "seq", "captured_at", "w", "h", "unchanged", "thorough", "recorded")
LIMITS = {
    "epoch": (0, MAX_NUMBER),
    "seq": (0, MAX_NUMBER),
    "captured_at": (0, MAX_TIME_US),
    "w": (1, MAX_SIDE),
    "h": (1, MAX_SIDE),
    "unchanged": (0, MAX_NUMBER),
    "thorough": (0, 1),
    "recorded": (0, 1),
}


def headers_with(**values: bytes) -> Headers:
    """The headers of `FRAME` with other values, and more where a name is new."""
    headers = dict(codec.encode(FRAME)[0])
    return tuple((headers | values).items())


def test_a_frame_survives_encoding_and_decoding() -> None:
    assert codec.decode(*codec.encode(FRAME)) == FRAME


def test_a_frame_without_pictures_left_out_before_it_has_no_header_for_them() -> None:
    """An earlier version reads it, and frames of an earlier version are read."""
    alone = replace(FRAME, unchanged=0, thorough=False, recorded=False)
    assert not {"unchanged", "thorough", "recorded"} & dict(codec.encode(alone)[0]).keys()
    assert codec.decode(*codec.encode(alone)) == alone
    assert alone.switches == Switches(expression=True, gender=True)


@pytest.mark.parametrize("off", ["expression", "gender"])
def test_a_frame_of_which_something_must_not_be_estimated_has_a_version_that_earlier_readers_refuse(
    off: str,
) -> None:
    restricted = replace(FRAME, switches=Switches(**{off: False}))
    headers = dict(codec.encode(restricted)[0])
    assert (headers["v"], headers[off]) == (b"2", b"0")
    assert codec.decode(*codec.encode(restricted)) == restricted
    assert dict(codec.encode(FRAME)[0])["v"] == b"1"
    with pytest.raises(BadFrame, match=off):
        codec.decode(headers_with(**{off: b"2"}), JPEG)


def test_fields_that_a_later_version_adds_are_ignored() -> None:
    headers = (*headers_with(v=b"1.4", lens=b"wide"), ("lens", b"narrow"))
    assert codec.decode(headers, JPEG) == FRAME


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("v", b"3"),
        ("camera", b"No Such Name!"),
        ("camera", b"a" * 65),
        ("camera", b""),
        *((name, b"-1") for name in NUMBERS),
        *((name, b"") for name in NUMBERS),
        *((name, b"9" * 19) for name in NUMBERS),
        *((name, b"%d" % 2**63) for name in NUMBERS),
        *((name, b"0" * 20) for name in NUMBERS),
        *((name, b"9" * 100_000) for name in NUMBERS),
        *(
            (name, text)
            for name in NUMBERS
            for text in (b"+7", b" 7", b"7\n", b"1_0", b"1.0", b"1e3", b"0x7")
        ),
        *((name, "٣".encode()) for name in NUMBERS),
        ("captured_at", b"%d" % (MAX_TIME_US + 1)),
        ("captured_at", b"yesterday"),
        *((name, text) for name in ("w", "h") for text in (b"0", b"%d" % (MAX_SIDE + 1))),
    ],
)
def test_a_bad_header_is_refused_by_name(field: str, found: bytes) -> None:
    with pytest.raises(BadFrame, match=field) as caught:
        codec.decode(headers_with(**{field: found}), JPEG)
    assert len(str(caught.value)) < 200, "a message never repeats a long value"


@pytest.mark.parametrize(("field", "limits"), LIMITS.items())
def test_the_message_names_field_value_and_range(field: str, limits: tuple[int, int]) -> None:
    most = limits[1]
    with pytest.raises(BadFrame, match=f"^{field} {most + 1}: expected {limits[0]} to {most}$"):
        codec.decode(headers_with(**{field: b"%d" % (most + 1)}), JPEG)


@pytest.mark.parametrize(("field", "limits"), LIMITS.items())
def test_the_limits_themselves_are_accepted(field: str, limits: tuple[int, int]) -> None:
    for limit in limits:
        assert codec.decode(headers_with(**{field: b"%d" % limit}), JPEG)


def test_a_frame_from_the_future_is_refused() -> None:
    latest = FRAME.captured_at + codec.MAX_AHEAD_US
    headers = headers_with(captured_at=b"%d" % latest)
    assert codec.decode(headers, JPEG, latest).captured_at == latest
    with pytest.raises(BadFrame, match=f"captured_at {latest}: expected 0 to {latest - 1}"):
        codec.decode(headers, JPEG, latest - 1)


@pytest.mark.parametrize("field", NAMES)
def test_a_missing_header_is_refused_by_name(field: str) -> None:
    headers = tuple(each for each in headers_with() if each[0] != field)
    with pytest.raises(BadFrame, match=field):
        codec.decode(headers, JPEG)


@pytest.mark.parametrize("field", NAMES)
@pytest.mark.parametrize("same", [True, False])
def test_a_repeated_header_is_refused_by_name(field: str, same: bool) -> None:
    value = dict(headers_with())[field] if same else b"8"
    with pytest.raises(BadFrame, match=f"{field} occurs several times"):
        codec.decode((*headers_with(), (field, value)), JPEG)


@pytest.mark.parametrize("value", [b"", b"GIF89a", b"\xff\xd8" + b"0" * codec.MAX_JPEG_BYTES])
def test_a_value_that_cannot_be_a_jpeg_is_refused(value: bytes) -> None:
    with pytest.raises(BadFrame, match="value"):
        codec.decode(headers_with(), value)


def test_random_frames_survive_encoding_and_decoding() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        numbers = {
            name: chance.randint(least, min(most, 10 ** chance.randint(1, 19)))
            for name, (least, most) in LIMITS.items()
        }
        camera = "".join(chance.choices("abcxyz019", k=chance.randint(1, 64)))
        frame = Frame(
            camera,
            numbers["captured_at"],
            numbers["seq"],
            numbers["epoch"],
            numbers["w"],
            numbers["h"],
            b"\xff\xd8" + chance.randbytes(8),
        )
        assert codec.decode(*codec.encode(frame)) == frame


def test_random_headers_give_a_storable_frame_or_a_refusal() -> None:
    chance = random.Random(2)
    accepted = 0
    for _ in range(20_000):
        headers = [list(each) for each in headers_with()]
        for _ in range(chance.randint(1, 3)):
            header = chance.choice(headers)
            header[1] = damage(bytes(header[1]), chance)
        if chance.random() < 0.1:
            headers.append(list(chance.choice(headers)))
        if chance.random() < 0.1:
            headers.remove(chance.choice(headers))
        record = tuple((str(name), bytes(value)) for name, value in headers)
        codec.camera_of(record)
        codec.captured_at_of(record)
        codec.sequence_of(record)
        try:
            frame = codec.decode(record, JPEG)
        except BadFrame:
            continue
        accepted += 1
        for name, found in (
            ("epoch", frame.epoch),
            ("seq", frame.seq),
            ("captured_at", frame.captured_at),
            ("w", frame.width),
            ("h", frame.height),
        ):
            assert LIMITS[name][0] <= found <= LIMITS[name][1]
    assert 100 < accepted < 19_000


def damage(value: bytes, chance: random.Random) -> bytes:
    """Another value: random bytes, random digits, a cut, an insertion."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randint(0, 30))
    if kind == 1:
        return b"%d" % chance.randint(-(2**8), 2 ** chance.choice([8, 62, 63, 64, 80]))
    at = chance.randint(0, len(value))
    return value[:at] + (chance.choice([b"0", b"9", b" ", b"-", b"\x00"]) if kind == 2 else b"")


@pytest.mark.parametrize(
    ("headers", "camera"),
    [
        (headers_with(), "entrance"),
        ((*headers_with(), ("camera", b"entrance")), "entrance"),
        ((*headers_with(), ("camera", b"till")), None),
        ((), None),
    ],
)
def test_the_camera_of_a_bad_record_is_the_one_that_it_names(headers: Headers, camera: str | None) -> None:
    assert codec.camera_of(headers) == camera


def test_invalid_times_and_sequence_numbers_are_none() -> None:
    assert codec.captured_at_of(headers_with()) == FRAME.captured_at
    assert codec.sequence_of(headers_with()) == ("entrance", 1_699_999_999_000_000, 7)
    assert codec.captured_at_of(headers_with(captured_at=b"9" * 5000)) is None
    assert codec.captured_at_of(()) is None
    assert codec.sequence_of(headers_with(seq=b"9" * 5000)) is None
    assert codec.sequence_of((*headers_with(), ("seq", b"8"))) is None
    assert codec.sequence_of(headers_with(camera=b"No camera")) is None


def test_messages_refuse_values_that_cannot_be_stored() -> None:
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
