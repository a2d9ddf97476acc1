"""What travels between the rooms: frames on the way in, numbers on the way out.

Times are integer microseconds since 1970-01-01 UTC. Every type is frozen and validates itself, so a
value that exists is a value that can be stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

MICROSECONDS = 1_000_000
MINUTE_US = 60 * MICROSECONDS
UNKNOWN = "unknown"

_CAMERA_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_camera_id(camera_id: str) -> str:
    """Return `camera_id` unchanged, or raise ValueError where it is not usable as a key."""
    if not _CAMERA_ID.fullmatch(camera_id):
        raise ValueError(
            f"camera id {camera_id!r}: use 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit"
        )
    return camera_id


def minute_of(time_us: int) -> int:
    """The start of the UTC minute that holds `time_us`, in microseconds."""
    return time_us - time_us % MINUTE_US


class Partition(NamedTuple):
    """A lane of the bus: all frames of a camera travel through one, in order."""

    topic: str
    number: int


Positions = Mapping[Partition, int]
"""The offset of the next record to be read, by partition."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One sampled picture of one camera, as grey JPEG.

    `captured_at` is set once, at capture, and is part of every key downstream. `epoch` tells one run
    of a capture from the next (the time at which it was opened) and `seq` counts within it from 0, so
    that (camera_id, epoch, seq) is unique and gaps in `seq` are drops. `width` and `height` are those
    of the JPEG in pixels.
    """

    camera_id: str
    captured_at: int
    seq: int
    epoch: int
    width: int
    height: int
    jpeg: bytes

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        for name in ("captured_at", "seq", "epoch"):
            _check_at_least(name, getattr(self, name), 0)
        for name in ("width", "height"):
            _check_at_least(name, getattr(self, name), 1)


class CameraState(StrEnum):
    """What a capture is doing."""

    CONNECTING = "connecting"
    ONLINE = "online"
    RETRYING = "retrying"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """The state of one capture, as an operator should read it.

    `reason` is one plain sentence without secrets, empty while all is well. `since` is when the state
    began, `reported_at` when this was said. `fps` is what was sampled over the last seconds, `reconnects`
    how often the source was opened again since the start.
    """

    camera_id: str
    state: CameraState
    reason: str
    since: int
    reported_at: int
    fps: float
    last_frame_at: int | None
    reconnects: int

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        _check_at_least("fps", self.fps, 0)
        _check_at_least("reconnects", self.reconnects, 0)


@dataclass(frozen=True, slots=True)
class CameraMinute:
    """What became of the frames of one camera in one minute: an increment, to be added.

    Every frame that a camera sampled is in `captured` and in exactly one of the other counts:
    `analysed`, `stale` (too old when its turn came), `failed` (could never be decoded) and `dropped`
    (by reason, before it reached a worker). It is in none of them while it is on its way, and for good
    where the bus lost it: where Kafka deleted it unread, or its capture ended before Kafka had taken it
    in. What is captured and not in another count is lost, then; no frame is in two.

    `watched_us` is the time covered by analysed frames, `age_sum_us` the sum of the analysed frames' ages
    when they were done, `faces` the detections.
    """

    camera_id: str
    minute: int
    captured: int = 0
    analysed: int = 0
    stale: int = 0
    failed: int = 0
    faces: int = 0
    watched_us: int = 0
    age_sum_us: int = 0
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        if self.minute % MINUTE_US:
            raise ValueError(f"minute {self.minute}: must be a whole minute in microseconds")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Class probabilities of a face or of a track, and what may be said of them.

    `expressions` maps the model's seven expression labels to probabilities, `female` is the
    probability of a perceived woman. `expression` and `gender` are the top labels, or "unknown" where
    the confidence is under the model's threshold.
    """

    expressions: Mapping[str, float]
    female: float
    expression: str
    gender: str

    def __post_init__(self) -> None:
        total = sum(self.expressions.values())
        if not 0.99 < total < 1.01:
            raise ValueError(f"expressions {dict(self.expressions)}: sum {total:.3f}, expected 1")
        if not 0 <= self.female <= 1:
            raise ValueError(f"female {self.female}: expected a probability, 0 to 1")


@dataclass(frozen=True, slots=True)
class Visit:
    """One confirmed face track in front of one camera, pooled over its frames.

    The id is made for the track and lives as long as it does: it never identifies a person. The row
    is written again while the visit is open, the one with the most `frames` counts, and a last time
    with `closed`. `face_size` is the mean of the square root of the box area, in pixels; `quality` the
    mean detector score.
    """

    visit_id: str
    camera_id: str
    first_seen: int
    last_seen: int
    frames: int
    face_size: float
    quality: float
    estimate: Estimate
    model: str
    closed: bool

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        _check_at_least("frames", self.frames, 1)
        if self.last_seen < self.first_seen:
            raise ValueError(f"last_seen {self.last_seen} lies before first_seen {self.first_seen}")


@dataclass(frozen=True, slots=True)
class Observation:
    """One second of one visit: at most one per visit and second, for trends inside a visit."""

    visit_id: str
    camera_id: str
    observed_at: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that one batch of frames amounts to, in the order in which it came about."""

    visits: tuple[Visit, ...] = ()
    observations: tuple[Observation, ...] = ()
    minutes: tuple[CameraMinute, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.visits or self.observations or self.minutes)


def _check_at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name} {value}: expected at least {least}")
