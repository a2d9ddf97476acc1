"""Poison records among good frames: they can never be processed and must reach the dead-letter queue.

A record whose headers are valid is counted as stale instead if it is too old before its JPEG is decoded.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from kafka import KafkaProducer

from bus import codec
from bus.codec import Headers
from bus.errors import BadFrame
from bus.kafka.dead_letters import ERROR, OFFSET, PARTITION, SHA256
from bus.kafka.settings import KafkaSettings
from bus.messages import MICROSECONDS
from common.clock import wall_clock_us
from tests.chaos.cameras import CAMERAS, DemoCamera
from tests.chaos.topic import read_dead_letters

Corrupt = Callable[[Headers, bytes], tuple[Headers, bytes]]

_START_OF_FRAME, _SIZE_OFFSET = b"\xff\xc0", 5
"""Height and width are two bytes each, 5 bytes after the marker (ITU-T T.81, B.2.2)."""
_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_BOMB_SCANS = 5000
"""Scans of the progressive bomb: each takes 3 ms to decode and 23 bytes to send."""
_BOMB_WIDTH, _BOMB_HEIGHT = 4096, 2304
_YEAR_US = 365 * 86_400 * MICROSECONDS


def huge(jpeg: bytes) -> bytes:
    """The JPEG with a header that announces 60,000 x 60,000 pixels."""
    size = jpeg.index(_START_OF_FRAME) + _SIZE_OFFSET
    return jpeg[:size] + struct.pack(">HH", 60_000, 60_000) + jpeg[size + 4 :]


@cache
def progressive_bomb() -> bytes:
    """A small progressive JPEG with thousands of scans: a decoder without limits takes many seconds."""
    flat = np.full((_BOMB_HEIGHT, _BOMB_WIDTH), 128, np.uint8)
    jpeg = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last_scan = jpeg[jpeg.rindex(_START_OF_SCAN) : -len(_END_OF_IMAGE)]
    return jpeg[: -len(_END_OF_IMAGE)] + last_scan * _BOMB_SCANS + _END_OF_IMAGE


def png(jpeg: bytes) -> bytes:
    """The same picture as PNG."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return cv2.imencode(".png", picture)[1].tobytes()


def replace(headers: Headers, **values: object) -> Headers:
    """The headers with other values for some names."""
    return tuple((name, str(values[name]).encode() if name in values else old) for name, old in headers)


KINDS: Mapping[str, Corrupt] = {
    "truncated": lambda headers, jpeg: (headers, jpeg[: len(jpeg) // 2]),
    "huge by its header": lambda headers, jpeg: (replace(headers, w=60000, h=60000), jpeg),
    "huge by its JPEG": lambda headers, jpeg: (headers, huge(jpeg)),
    "not a JPEG": lambda headers, jpeg: (headers, b"<html>not a picture</html>"),
    "PNG": lambda headers, jpeg: (headers, png(jpeg)),
    "progressive bomb": lambda headers, jpeg: (
        replace(headers, w=_BOMB_WIDTH, h=_BOMB_HEIGHT),
        progressive_bomb(),
    ),
    "empty": lambda headers, jpeg: (headers, b""),
    "unknown version": lambda headers, jpeg: (replace(headers, v=9), jpeg),
    "time of 19 digits": lambda headers, jpeg: (replace(headers, captured_at="9" * 19), jpeg),
    "time of 64 bits": lambda headers, jpeg: (replace(headers, captured_at=2**63 - 1), jpeg),
    "time beyond 64 bits": lambda headers, jpeg: (replace(headers, captured_at=2**63), jpeg),
    "time a year ahead": lambda headers, jpeg: (
        replace(headers, captured_at=wall_clock_us() + _YEAR_US),
        jpeg,
    ),
    "repeated header": lambda headers, jpeg: ((*headers, ("seq", b"7")), jpeg),
    "repeated camera": lambda headers, jpeg: (
        (*headers, *(each for each in headers if each[0] == "camera")),
        jpeg,
    ),
    "no camera": lambda headers, jpeg: (tuple(each for each in headers if each[0] != "camera"), jpeg),
    "no headers": lambda headers, jpeg: ((), jpeg),
}


@dataclass(frozen=True)
class SentRecord:
    """A poison record. `camera`: None if no header names one. `has_valid_headers`: it may become stale."""

    kind: str
    value: bytes
    camera: str | None
    has_valid_headers: bool

    @property
    def sha256(self) -> bytes:
        """The checksum of its value, as dead letters have it."""
        return hashlib.sha256(self.value).hexdigest().encode()


@dataclass
class Poison:
    """The poison records that were sent, by partition and offset."""

    sent: dict[tuple[int, int], SentRecord] = field(default_factory=dict)

    def send(self, cluster: KafkaSettings, rounds: int) -> None:
        """Send one record of each kind to the partition of every camera, `rounds` times."""
        epoch = (
            wall_clock_us()
        )  # Another epoch than the good frames', so that none is taken for a repetition.
        options = {"enable_idempotence": False, "acks": 1}
        with closing(KafkaProducer(**cluster.connection(), **options)) as producer:
            for camera in CAMERAS:
                source = DemoCamera(camera)
                for number in range(rounds):
                    for index, (kind, corrupt) in enumerate(KINDS.items()):
                        seq = number * len(KINDS) + index
                        headers, jpeg = codec.encode(source.frame(epoch, seq, wall_clock_us()))
                        wrong, value = corrupt(headers, jpeg)
                        sent = producer.send(
                            cluster.topic, value, None, list(wrong), CAMERAS.index(camera)
                        ).get(timeout=30)
                        named = camera if "camera" in dict(wrong) else None
                        record = SentRecord(kind, value, named, _has_valid_headers(wrong, value))
                        self.sent[sent.partition, sent.offset] = record

    def by_camera(self) -> Counter[str]:
        """How many records name each camera."""
        return Counter(record.camera for record in self.sent.values() if record.camera)

    def stale_by_camera(self, cluster: KafkaSettings) -> Counter[str]:
        """How many records of each camera are not in the dead-letter queue, because they became stale."""
        found = _positions(read_dead_letters(cluster)) if self.sent else Counter()
        missing = [record for where, record in self.sent.items() if where not in found]
        return Counter(record.camera for record in missing if record.camera and record.has_valid_headers)

    def check(self, cluster: KafkaSettings) -> list[str]:
        """Violations: a record is in the dead-letter queue once, with a reason and no picture, or stale."""
        letters = read_dead_letters(cluster)
        found = _positions(letters)
        wrong = [
            f"{record.kind}: not in the dead-letter queue"
            for where, record in self.sent.items()
            if where not in found and not record.has_valid_headers
        ]
        for headers, value in letters:
            where = _position(headers)
            record = self.sent.get(where)
            if record is None:
                wrong.append(f"dead letter of {where}: not a poison record")
            elif found[where] > 1 or value or not headers[ERROR] or headers[SHA256] != record.sha256:
                wrong.append(f"dead letter of {where} ({record.kind}): repeated, a value, or no reason")
        return wrong

    def reasons(self, cluster: KafkaSettings) -> dict[str, str]:
        """For each kind the reason that one of its dead letters gives."""
        reasons: dict[str, str] = {}
        for headers, _ in read_dead_letters(cluster):
            reasons.setdefault(self.sent[_position(headers)].kind, headers[ERROR].decode())
        return reasons


def _position(headers: Mapping[str, bytes]) -> tuple[int, int]:
    return int(headers[PARTITION]), int(headers[OFFSET])


def _positions(letters: Iterable[tuple[Mapping[str, bytes], object]]) -> Counter[tuple[int, int]]:
    return Counter(_position(headers) for headers, _ in letters)


def _has_valid_headers(headers: Headers, value: bytes) -> bool:
    try:
        codec.decode(headers, value, wall_clock_us() + codec.MAX_AHEAD_US)
    except BadFrame:
        return False
    return True
