"""Capture of one camera: opens it, monitors it, abandons it when it is stuck, and opens it again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bus.messages import CameraState
from bus.sinks import CaptureSink
from bus.transport import FrameWriter
from common.clock import wall_clock_us
from common.redaction import redact
from common.source_parts import explain_literal_secret, find_literal_secret
from ingest.backoff import Backoff
from ingest.camera_lease import CameraLease
from ingest.camera_source import CameraSource
from ingest.cameras import Camera
from ingest.counts import CaptureCounts
from ingest.errors import IngestError, SourceError, SourceLost
from ingest.health import HealthMonitor
from ingest.policy import PolicyInForce
from ingest.publisher import Publisher
from ingest.reader import ReadSettings, SourceReader
from ingest.sources import SourceRules, is_recording, open_source
from ingest.stillness import StillnessDetector

PAUSED = "paused by an operator"
STOPPED = "Mien was stopped"

_MAX_STUCK = 3
"""Stuck readers of one camera at which it is not opened again until one of them returns."""
_CHECK_EVERY = 0.5
_CLOSE_TIMEOUT = 1.0
"""Seconds within which a reader must close its source after a stop; a stuck one is abandoned."""
_LONGEST_SIDE = 4096
"""What the bus carries (`bus.codec.MAX_SIDE`)."""

_NOT_OPEN = (CameraState.ENDED, CameraState.PAUSED, CameraState.NOT_SCHEDULED)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How cameras are read; times in seconds.

    Attributes:
        longest_side: of the published pictures, in pixels; larger ones are scaled down. Those of thorough
            cameras have the largest side that the bus carries.
        jpeg_quality: 1 to 100.
        open_timeout: within which a network camera must respond.
        read_timeout: within which each picture of a camera must arrive.
        frozen_after: how long a picture may stay the same, or black, before it is reported.
        first_retry: the wait before a lost camera is opened again; doubles with each failure.
        last_retry: the longest such wait; after so many healthy seconds the first wait applies again.
        fast: read recordings as quickly as the bus accepts their frames, and drop none.
        loop: restart recordings when they end.
        motion_gate: publish pictures without a change rarely (`ingest.motion`).
    """

    longest_side: int = 1280
    jpeg_quality: int = 85
    open_timeout: float = 10.0
    read_timeout: float = 10.0
    frozen_after: float = 15.0
    first_retry: float = 1.0
    last_retry: float = 60.0
    fast: bool = False
    loop: bool = False
    motion_gate: bool = True

    def __post_init__(self) -> None:
        if not 16 <= self.longest_side <= _LONGEST_SIDE:
            raise ValueError(f"longest_side {self.longest_side}: expected 16 to {_LONGEST_SIDE} pixels")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality {self.jpeg_quality}: expected 1 to 100")
        for name in ("open_timeout", "read_timeout", "frozen_after", "first_retry", "last_retry"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} {getattr(self, name)}: expected more than 0 seconds")


class Capture:
    """Captures one camera in threads of its own.

    Args:
        camera: the camera; one that is paused or closed is reported as such and not opened.
        writer: the capture's side of the bus.
        lease: of the camera; the capture must be stopped when it expires.
        settings: how it is read.
        rules: what the camera's source may refer to, and where it may lead.
        on_change: called, in any thread, when the camera's state changes.
    """

    def __init__(
        self,
        camera: Camera,
        writer: FrameWriter,
        lease: CameraLease,
        settings: CaptureSettings,
        rules: SourceRules,
        on_change: Callable[[], None],
    ) -> None:
        self.camera = camera
        self.lease = lease
        self.health = HealthMonitor(camera.id)
        self.failure = ""
        """Why a recording could not be read to its end; empty otherwise."""
        self._counts = CaptureCounts(camera.id)
        self._policy = PolicyInForce(camera.policy)
        self._writer = writer
        self._settings = settings
        self._rules = rules
        self._secrets = rules.secrets(camera.source)
        self._on_change = on_change
        self._stillness = StillnessDetector(settings.frozen_after)
        self._backoff = Backoff(settings.first_retry, settings.last_retry)
        self._stuck: list[SourceReader] = []
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture {camera.id}", daemon=True)

    def start(self) -> None:
        """Start the capture's thread."""
        self._thread.start()

    def stop(self) -> None:
        """Publish nothing more and end; does not wait for the end."""
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float) -> None:
        """Wait for the end, at most `timeout` seconds; nothing is published after it."""
        self._thread.join(timeout)

    def follow(self, camera: Camera) -> bool:
        """Follow a change of the camera without a restart; False where it needs one."""
        if replace(camera, policy=self.camera.policy) != self.camera:
            return False
        self.camera = camera
        self._policy.policy = camera.policy
        return True

    @property
    def is_running(self) -> bool:
        """Whether frames may still be published."""
        return self._thread.is_alive()

    @property
    def captured(self) -> int:
        """Number of sampled pictures so far."""
        return self._counts.captured

    @property
    def unstored_pictures(self) -> int:
        """Number of sampled pictures that were not published and whose counts are not stored yet."""
        return self._counts.unstored

    def store_counts(self, sink: CaptureSink) -> None:
        """Store the counts since the last call; raises what the sink raises."""
        for reason, frames in self._writer.take_drops(self.camera.id).items():
            self._counts.add_dropped(wall_clock_us(), reason, frames)
        self._counts.store(sink)

    def report_stopped(self) -> None:
        """Set the state to ended, unless the capture already ended, is paused or not scheduled."""
        if self._is_open:
            self._set_state(CameraState.ENDED, STOPPED)

    def _run(self) -> None:
        try:
            if self.camera.paused:
                self._set_state(CameraState.PAUSED, self.camera.pause_reason or PAUSED)
            elif self.camera.closed:
                self._set_state(CameraState.NOT_SCHEDULED, self.camera.closed)
            else:
                self._warn_of_literal_secrets()
                self._keep_reading(self._rules.expand(self.camera.source))
        except SourceError as error:
            self._end(error)
        finally:
            if self._is_open and not self._stop.is_set():
                self._end(IngestError("the capture failed: see the log"))
            self._on_change()

    def _warn_of_literal_secrets(self) -> None:
        """Older versions stored some secrets that are written out; they still work."""
        if literal := find_literal_secret(self.camera.source, self._rules.parameters):
            _log.warning(
                "camera %s: its registered %s; remove the camera and add it again",
                self.camera.id,
                explain_literal_secret(literal),
            )

    @property
    def _is_open(self) -> bool:
        return self.health.current.state not in _NOT_OPEN

    def _keep_reading(self, source: str) -> None:
        while not self._stop.is_set():
            error, healthy_for = self._read(source)
            if self._stop.is_set():
                return
            if error is None or is_recording(source) or self._is_permanent(error):
                self._end(error)
                return
            self._set_state(CameraState.RETRYING, redact(str(error), self._secrets))
            wait = self._backoff.next_wait(healthy_for)
            _log.debug("camera %s: opening it again in %.1f s", self.camera.id, wait)
            self._stop.wait(wait)

    def _is_permanent(self, error: IngestError) -> bool:
        """Whether another attempt cannot succeed; a webcam that was online may be connected again."""
        return isinstance(error, SourceError) and self.health.current.last_frame_at is None

    def _read(self, source: str) -> tuple[IngestError | None, float]:
        """Read until the source ends, fails or is stuck, or the capture stops.

        Returns the error, and for how many seconds the source was healthy.
        """
        self._stuck = [reader for reader in self._stuck if not reader.is_done]
        if len(self._stuck) >= _MAX_STUCK:
            return SourceLost(
                f"the source hangs: {len(self._stuck)} attempts to read it have not returned"
            ), 0.0
        self.health.count_opening()
        reader = self._make_reader(source)
        try:
            reader.start()
        except RuntimeError as error:  # The system starts no further thread at present.
            return SourceLost(str(error)), 0.0
        while not (reader.is_done or reader.is_stuck or self._stop.is_set()):
            self._wake.wait(_CHECK_EVERY)
            self._wake.clear()
        if reader.is_done:
            return reader.error, reader.healthy_for
        reader.cancel()
        if not self._stop.is_set():
            self._stuck.append(reader)
            return SourceLost("the source hangs: it does not return"), reader.healthy_for
        reader.join(_CLOSE_TIMEOUT)
        return None, 0.0

    def _make_reader(self, source: str) -> SourceReader:
        settings = self._settings
        publisher = Publisher(
            self.camera,
            self.lease,
            self._writer,
            self.health,
            self._counts,
            settings.jpeg_quality,
            self._policy,
            recorded=is_recording(source) and not settings.loop,
        )
        read_settings = ReadSettings(
            fps=self.camera.fps,
            longest_side=_LONGEST_SIDE if self.camera.thorough else settings.longest_side,
            open_timeout=settings.open_timeout,
            read_timeout=settings.read_timeout,
            fast=settings.fast,
            motion_gate=settings.motion_gate,
        )
        return SourceReader(
            partial(self._open, source),
            read_settings,
            publisher,
            self._stillness,
            self._policy,
            self._notify,
        )

    def _open(self, source: str) -> CameraSource:
        return open_source(
            source,
            fps=self.camera.fps,
            open_timeout=self._settings.open_timeout,
            read_timeout=self._settings.read_timeout,
            loop=self._settings.loop,
            policy=self._rules.policy,
        )

    def _end(self, error: IngestError | None) -> None:
        self.failure = redact(str(error or ""), self._secrets)
        self._set_state(CameraState.ENDED, self.failure)

    def _set_state(self, state: CameraState, reason: str) -> None:
        if self.health.set_state(state, reason):
            self._notify()

    def _notify(self) -> None:
        self._wake.set()
        self._on_change()
