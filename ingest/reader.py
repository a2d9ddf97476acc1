"""Reader of one opening of a source, in a thread of its own, so that a source that hangs blocks no other."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from bus.messages import MICROSECONDS
from common.clock import wall_clock_us
from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.damage import DamageMonitor
from ingest.encoding import to_gray
from ingest.errors import IngestError, SourceLost
from ingest.motion import MotionGate
from ingest.policy import PolicyInForce
from ingest.publisher import Publisher
from ingest.recordings import VideoFile
from ingest.sampling import Sampler
from ingest.stillness import ConstancyDetector, StillnessDetector
from media.errors import ImageError
from media.images import Gray

DAMAGED = "damaged picture"
FROZEN = "frozen picture"
LATE = "read too late"
"""Reasons for which sampled pictures are dropped before they reach the bus."""

_GRACE = 1.0
"""Seconds beyond its own time-out after which a source counts as stuck."""
_LATEST = 1.0
"""Seconds after its time from which a picture of a recording played at its own speed is dropped."""
_HOPELESS = 10.0
"""The same from which it is a sign of a machine that is too slow, not of one that is busy for a moment."""
_TOO_SLOW = "this machine cannot read the recording at its own speed: use --fast, or a smaller recording"
_LEAST_PATIENCE = 3
"""Spacings of the sampled pictures that a camera may be without one that can be decoded, at least: a single
damaged picture of a camera with a low rate is no outage."""
_ROOM_WAIT = 0.25


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How a source is read.

    `fps` pictures per second are sampled, None samples all; `longest_side` in pixels; time-outs in seconds;
    `fast` reads a recording as quickly as the bus accepts its frames, and then every sampled picture is
    published; otherwise pictures without a change are not if there is a `motion_gate`.
    """

    fps: float | None
    longest_side: int
    open_timeout: float
    read_timeout: float
    fast: bool
    motion_gate: bool = True


class SourceReader:
    """Opens a source and publishes the sampled pictures until it ends, fails or is cancelled.

    Args:
        open_source: opens the source.
        settings: how it is read.
        publisher: publishes the pictures.
        stillness: examines the pictures of live cameras.
        policy: blanks the masked regions, before anything else sees a picture that may be published.
        on_change: called, in the reader's thread, when the camera's state changes or the reader is done.
    """

    def __init__(
        self,
        open_source: Callable[[], CameraSource],
        settings: ReadSettings,
        publisher: Publisher,
        stillness: StillnessDetector,
        policy: PolicyInForce,
        on_change: Callable[[], None],
    ) -> None:
        self.error: IngestError | None = SourceLost("the reader failed: see the log")
        """Why the reader stopped, None if the source ended. Valid once the reader is done."""
        self._open = open_source
        self._settings = settings
        self._publisher = publisher
        self._stillness = stillness
        self._policy = policy
        self._on_change = on_change
        self._patience = max(settings.read_timeout, _LEAST_PATIENCE / settings.fps if settings.fps else 0.0)
        self._sampler = Sampler(settings.fps)
        self._gate = MotionGate()
        self._damage = DamageMonitor()
        self._constancy = ConstancyDetector()
        self._cancelled = threading.Event()
        self._done = threading.Event()
        self._deadline = math.inf
        self._opened_at = 0.0
        self._recorded_from = 0
        self._decoded_at = 0.0
        self._first_published_at: float | None = None
        self._last_published_at = 0.0
        self._damaged = 0
        self._first_damage = ""
        self._captured_at = 0
        name = f"reader {publisher.camera_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the reader's thread."""
        self._thread.start()

    def cancel(self) -> None:
        """Publish nothing more, and end as soon as the source returns; does not wait for that."""
        self._cancelled.set()
        self._publisher.close()

    def join(self, timeout: float) -> None:
        """Wait for the end of the reader's thread, at most `timeout` seconds."""
        self._thread.join(timeout)

    @property
    def is_done(self) -> bool:
        """Whether the reader has ended and the source is closed."""
        return self._done.is_set()

    @property
    def is_stuck(self) -> bool:
        """Whether the source has not returned long after its time-outs."""
        return time.monotonic() > self._deadline

    @property
    def healthy_for(self) -> float:
        """Seconds from the first to the last picture that was published."""
        return 0.0 if self._first_published_at is None else self._last_published_at - self._first_published_at

    def _run(self) -> None:
        try:
            self._read()
            self.error = None
        except IngestError as error:
            self.error = error
        finally:
            self._done.set()
            self._on_change()

    def _read(self) -> None:
        # Twice: for the answer of a camera, and for the first data of its stream.
        with self._deadline_in(2 * self._settings.open_timeout):
            source = self._open()
        with closing(source):
            if self._cancelled.is_set():
                return
            self._opened_at = self._decoded_at = time.monotonic()
            # The epoch is a fencing token: it can be far ahead where a clock was wrong before.
            self._recorded_from = min(self._publisher.epoch, wall_clock_us())
            self._stillness.restart(self._opened_at)
            while not self._cancelled.is_set():
                with self._deadline_in(self._settings.read_timeout):
                    picture = source.read()
                if picture is None:
                    break
                self._handle(picture, source.live)
            is_video = isinstance(source, VideoFile)
        if self._damaged:
            raise SourceLost(f"{self._damaged} pictures cannot be decoded, the first: {self._first_damage}")
        if is_video and self._constancy.reason:
            raise SourceLost(self._constancy.reason)

    def _handle(self, picture: UndecodedPicture, live: bool) -> None:
        since_opened = time.monotonic() - self._opened_at
        offset = since_opened if picture.offset is None else picture.offset
        if not self._sampler.select(offset):
            return
        fast = self._settings.fast and not live
        captured_at = self._wait_for_room(offset) if fast else self._wait_until(offset)
        if self._cancelled.is_set():
            return
        late = 0.0 if fast else time.monotonic() - self._opened_at - offset
        if late > _LATEST:
            is_hopeless = late > _HOPELESS and not live
            if self._publisher.drop(captured_at, LATE, _TOO_SLOW if is_hopeless else ""):
                self._on_change()
            return
        gray = self._decode(picture, captured_at, live)
        if gray is None or self._cancelled.is_set():
            return
        if live and picture.offset is None:
            self._publish_unless_frozen(gray, captured_at)
        else:
            self._constancy.update(gray)
            self._publish(gray, captured_at, self._damage.reason)

    def _wait_until(self, offset: float) -> int:
        """Wait for the time of a picture that is played at its own speed; returns microseconds UTC then."""
        if (left := self._opened_at + offset - time.monotonic()) > 0:
            self._cancelled.wait(left)
        return wall_clock_us()

    def _wait_for_room(self, offset: float) -> int:
        """Wait until the bus accepts a recording's picture; returns its time in microseconds UTC.

        The recording counts as started when it was opened; no two pictures have the same time.
        """
        while not self._publisher.wait_for_room(_ROOM_WAIT) and not self._cancelled.is_set():
            pass
        recorded_at = self._recorded_from + round(offset * MICROSECONDS)
        self._captured_at = max(recorded_at, self._captured_at + 1)
        return self._captured_at

    def _decode(self, picture: UndecodedPicture, captured_at: int, live: bool) -> Gray | None:
        try:
            with self._deadline_in(self._settings.read_timeout):
                gray = to_gray(picture.decode(), self._settings.longest_side)
        except ImageError as error:
            self._publisher.drop(captured_at, DAMAGED)
            self._damage.add_failed(str(error))
            self._damaged += 1
            self._first_damage = self._first_damage or str(error)
            if live and time.monotonic() - self._decoded_at > self._patience:
                raise SourceLost(f"no picture that can be decoded: {error}") from error
            return None
        self._decoded_at = time.monotonic()
        self._damage.add_decoded()
        return gray

    def _publish_unless_frozen(self, gray: Gray, captured_at: int) -> None:
        now = time.monotonic()
        self._stillness.update(gray, now)
        if not self._stillness.is_frozen:
            self._publish(gray, captured_at, self._stillness.reason or self._damage.reason)
            return
        self._publisher.drop(captured_at, FROZEN)
        if self._stillness.is_overdue(now):
            raise SourceLost(self._stillness.reason)

    def _publish(self, gray: Gray, captured_at: int, reason: str = "") -> None:
        gray = self._policy.blank(gray)
        self._last_published_at = time.monotonic()
        if self._first_published_at is None:
            self._first_published_at = self._last_published_at
        gated = self._settings.motion_gate and not self._settings.fast
        if not gated or self._gate.select(gray, captured_at / MICROSECONDS):
            is_new = self._publisher.publish(gray, captured_at, reason)
        else:
            is_new = self._publisher.pass_over(captured_at, reason)
        if is_new:
            self._on_change()

    @contextmanager
    def _deadline_in(self, seconds: float) -> Iterator[None]:
        """Count the reader as stuck if the block takes longer than `seconds` and some grace."""
        self._deadline = time.monotonic() + seconds + _GRACE
        try:
            yield
        finally:
            self._deadline = math.inf
