"""Messages between cameras, workers and storage: frames, results, coverage and camera states.

Times are integer microseconds since 1970-01-01 UTC. Every type is immutable and validates itself.
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
OFF = "off"
"""The label of an estimate that was not made, because it is switched off for the camera."""

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
    """An ordered part of the bus: all frames of a camera travel through one partition."""

    topic: str
    number: int


Positions = Mapping[Partition, int]
"""The offset of the next record to be read, by partition."""


@dataclass(frozen=True, slots=True)
class Switches:
    """What is estimated of the visitors of a camera; what is off is neither computed nor stored."""

    expression: bool = True
    gender: bool = True


EVERYTHING = Switches()


@dataclass(frozen=True, slots=True)
class Frame:
    """One sampled picture of one camera, as grey JPEG.

    `captured_at` is set once, at capture. `epoch` identifies one opening of the source (about its time, by
    the lease) and is greater than every earlier epoch of this camera, `seq` counts its pictures from 0:
    (camera_id, epoch, seq) is unique. `unchanged` is the number of pictures directly before this one that
    showed no change and were not published; other gaps in `seq` are drops. `width` and `height` are those
    of the JPEG in pixels. `thorough`: small faces are to be searched. `switches`: what is to be estimated.
    `recorded`: it is of a recording, which ends; a live camera is only interrupted.
    """

    camera_id: str
    captured_at: int
    seq: int
    epoch: int
    width: int
    height: int
    jpeg: bytes
    unchanged: int = 0
    thorough: bool = False
    switches: Switches = EVERYTHING
    recorded: bool = False

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        for name in ("captured_at", "seq", "epoch", "unchanged"):
            _check_at_least(name, getattr(self, name), 0)
        for name in ("width", "height"):
            _check_at_least(name, getattr(self, name), 1)


class CameraState(StrEnum):
    """The state of a capture."""

    CONNECTING = "connecting"
    ONLINE = "online"
    RETRYING = "retrying"
    PAUSED = "paused"
    NOT_SCHEDULED = "not scheduled"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """The state of one capture, for operators.

    `reason` is one sentence without secrets, empty while there is no problem. The state began at `since` and
    is reported at `reported_at`. `fps` is the sampling rate of the last seconds, `reconnects` how often the
    source was opened again since the start, and `recent_reconnects` how often within the last hour.
    """

    camera_id: str
    state: CameraState
    reason: str
    since: int
    reported_at: int
    fps: float
    last_frame_at: int | None
    reconnects: int
    recent_reconnects: int = 0

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        _check_at_least("fps", self.fps, 0)
        _check_at_least("reconnects", self.reconnects, 0)
        _check_at_least("recent_reconnects", self.recent_reconnects, 0)


@dataclass(frozen=True, slots=True)
class CameraMinute:
    """Outcomes of the frames of one camera in one minute: an increment, to be added.

    A frame is in `captured` and in exactly one of the other counts, in one increment: `unchanged` (it showed
    what the frame before it showed and was not published), `analysed`, `stale` (too old when a worker
    read it), `failed` (can never be processed), `superseded` (of an earlier epoch than a frame that was
    analysed) and `dropped` (by reason, before it reached a worker). So `captured` is their sum, whatever
    process died. A frame in transit is in none of them, and so is a lost one: Kafka deleted it before it
    was read, or its capture was killed. `repeated` counts, apart from these, frames that a worker read
    again or after a newer frame of their epoch.

    `watched_us` is the time that analysed frames and the unchanged ones before them cover, `age_sum_us` the
    sum of the ages of analysed frames after analysis, `faces` the number of detections.
    """

    camera_id: str
    minute: int
    captured: int = 0
    unchanged: int = 0
    analysed: int = 0
    stale: int = 0
    failed: int = 0
    superseded: int = 0
    repeated: int = 0
    faces: int = 0
    watched_us: int = 0
    age_sum_us: int = 0
    dropped: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_camera_id(self.camera_id)
        if self.minute % MINUTE_US:
            raise ValueError(f"minute {self.minute}: expected a multiple of {MINUTE_US} microseconds")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Class probabilities of a face or of a track, and the labels that follow from them.

    `expressions` maps the model's seven expression labels to probabilities, `female` is the probability of a
    perceived woman. `expression` and `gender` are the top labels, or "unknown" where the confidence is below
    the model's threshold. Of what is switched off there is no probability, and the label is "off".
    """

    expressions: Mapping[str, float]
    female: float | None
    expression: str
    gender: str

    def __post_init__(self) -> None:
        total = sum(self.expressions.values())
        if (self.expression == OFF) != (not self.expressions) or (self.gender == OFF) != (
            self.female is None
        ):
            raise ValueError("an estimate that is off has no probabilities, any other one has")
        if self.expressions and not 0.99 < total < 1.01:
            raise ValueError(f"expressions {dict(self.expressions)}: sum {total:.3f}, expected 1")
        if self.female is not None and not 0 <= self.female <= 1:
            raise ValueError(f"female {self.female}: expected a probability, 0 to 1")


@dataclass(frozen=True, slots=True)
class Visit:
    """One confirmed face track in front of one camera, pooled over its frames.

    The random id belongs to the track alone: it never identifies a person. The row is written repeatedly
    while the visit is open (the one with the most `frames` is valid) and a last time with `closed`.
    `face_size` is the mean of the square root of the box area, in pixels; `quality` the mean detector score.
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
            raise ValueError(f"last_seen {self.last_seen} is before first_seen {self.first_seen}")


@dataclass(frozen=True, slots=True)
class Observation:
    """One second of one visit: at most one per visit and second, for trends inside a visit."""

    visit_id: str
    camera_id: str
    observed_at: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class LastFrame:
    """The last frame that was processed of one epoch of a camera.

    `analysed`: whether a frame of this epoch has been analysed. From then on frames of earlier epochs are
    superseded: another capture has replaced theirs.
    """

    camera_id: str
    epoch: int
    seq: int
    analysed: bool


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one batch of frames, in order, and the last frame of each camera and epoch in it."""

    visits: tuple[Visit, ...] = ()
    observations: tuple[Observation, ...] = ()
    minutes: tuple[CameraMinute, ...] = ()
    last_frames: tuple[LastFrame, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.visits or self.observations or self.minutes or self.last_frames)


def _check_at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name} {value}: expected at least {least}")
