"""One camera, kept running: opened, watched, given up when it hangs, opened again after a while."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bus.messages import CameraState
from bus.transport import FrameWriter
from ingest.backoff import Backoff
from ingest.cameras import Camera, expand
from ingest.errors import IngestError, SourceError, SourceLost
from ingest.health import CaptureSink, Health, Tally, wall_clock_us
from ingest.publisher import Publisher
from ingest.reader import Reader, Reading
from ingest.sources import Source, is_recording, open_source
from ingest.stillness import PictureWatch

PAUSED = "paused by an operator"
STOPPED = "Mien was stopped"

_MOST_STUCK = 3
"""Readers of one camera that may hang at a time before it is not opened again until one returns."""
_LOOK_EVERY = 0.5
_FAREWELL = 1.0
"""Seconds that a reader has to close its source when all is stopped; one that hangs is left behind."""
_LONGEST_SIDE = 4096
"""What the bus carries (`bus.codec.MAX_SIDE`)."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaptureSettings:
    """How cameras are read; times in seconds.

    Attributes:
        longest_side: of the pictures that are published, in pixels; larger ones are made smaller.
        jpeg_quality: 1 to 100.
        open_timeout: until a network camera must have answered.
        read_timeout: within which each picture of a camera must come.
        frozen_after: how long a picture may stay the same, or black, before that is told.
        first_retry: the wait before a lost camera is opened again, doubled each time it fails.
        last_retry: the longest such wait; a camera that was well for so long begins anew.
        fast: read recordings as quickly as their pictures are taken, and drop none.
        loop: begin recordings again when they end.
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
        camera: what is captured; a paused camera is told to be paused and not opened.
        writer: the capture's side of the bus.
        settings: how it is read.
        environ: the variables to which the camera's source may refer.
        changed: called, in any thread, when the camera's state changes.
    """

    def __init__(
        self,
        camera: Camera,
        writer: FrameWriter,
        settings: CaptureSettings,
        environ: Mapping[str, str],
        changed: Callable[[], None],
    ) -> None:
        self.camera = camera
        self.health = Health(camera.id)
        self.failure = ""
        """Why a recording could not be read, or not to its end; empty otherwise."""
        self._tally = Tally(camera.id)
        self._writer = writer
        self._settings = settings
        self._environ = environ
        self._changed = changed
        self._watch = PictureWatch(settings.frozen_after)
        self._backoff = Backoff(settings.first_retry, settings.last_retry)
        self._epoch = 0
        self._stuck: list[Reader] = []
        self._stop = threading.Event()
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture {camera.id}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Publish nothing more and end; does not wait for that."""
        self._stop.set()
        self._news.set()

    def join(self, timeout: float) -> None:
        """Wait until nothing is published any more, at most `timeout` seconds."""
        self._thread.join(timeout)

    @property
    def is_running(self) -> bool:
        """Whether pictures may still come."""
        return self._thread.is_alive()

    @property
    def pictures_not_counted(self) -> int:
        """Sampled pictures whose counts are not stored yet."""
        return self._tally.pictures

    def count(self, sink: CaptureSink) -> None:
        """Store what became of the pictures since the last call; raises what the sink raises."""
        for reason, frames in self._writer.take_drops(self.camera.id).items():
            self._tally.dropped(wall_clock_us(), reason, frames)
        self._tally.store(sink)

    def tell_stopped(self) -> None:
        """Say that nothing more will come, where that was not said before."""
        if self._is_open:
            self._become(CameraState.ENDED, STOPPED)

    def _run(self) -> None:
        try:
            if self.camera.paused:
                self._become(CameraState.PAUSED, self.camera.pause_reason or PAUSED)
            else:
                self._keep_reading(expand(self.camera.source, self._environ))
        except SourceError as error:
            self._end(error)
        finally:
            if self._is_open and not self._stop.is_set():
                self._end(IngestError("the capture failed, the log says where"))
            self._changed()

    @property
    def _is_open(self) -> bool:
        return self.health.now.state not in (CameraState.ENDED, CameraState.PAUSED)

    def _keep_reading(self, source: str) -> None:
        while not self._stop.is_set():
            error, well_for = self._read(source)
            if self._stop.is_set():
                return
            if error is None or is_recording(source) or self._is_wrong(error):
                self._end(error)
                return
            self._become(CameraState.RETRYING, str(error))
            wait = self._backoff.next_wait(well_for)
            _log.debug("camera %s: is opened again in %.1f s", self.camera.id, wait)
            self._stop.wait(wait)

    def _is_wrong(self, error: IngestError) -> bool:
        """Whether trying again is of no use; a webcam that was online before may be plugged in again."""
        return isinstance(error, SourceError) and self.health.now.last_frame_at is None

    def _read(self, source: str) -> tuple[IngestError | None, float]:
        """Read until the source ends, breaks, hangs, or all is stopped; why, and how long it was well."""
        self._stuck = [reader for reader in self._stuck if not reader.is_done]
        if len(self._stuck) >= _MOST_STUCK:
            return SourceLost(f"the source hangs: {len(self._stuck)} attempts to read it never returned"), 0.0
        self.health.opening()
        reader = self._reader(source)
        reader.start()
        while not (reader.is_done or reader.hangs or self._stop.is_set()):
            self._news.wait(_LOOK_EVERY)
            self._news.clear()
        if reader.is_done:
            return reader.error, reader.well_for
        reader.cancel()
        if not self._stop.is_set():
            self._stuck.append(reader)
            return SourceLost("the source hangs: it does not return"), reader.well_for
        reader.join(_FAREWELL)
        return None, 0.0

    def _reader(self, source: str) -> Reader:
        settings = self._settings
        self._epoch = max(wall_clock_us(), self._epoch + 1)
        publisher = Publisher(
            self.camera.id, self._epoch, self._writer, self.health, self._tally, settings.jpeg_quality
        )
        reading = Reading(
            fps=self.camera.fps,
            longest_side=settings.longest_side,
            open_timeout=settings.open_timeout,
            read_timeout=settings.read_timeout,
            fast=settings.fast,
        )
        return Reader(partial(self._open, source), reading, publisher, self._watch, self._tell)

    def _open(self, source: str) -> Source:
        return open_source(
            source,
            fps=self.camera.fps,
            open_timeout=self._settings.open_timeout,
            read_timeout=self._settings.read_timeout,
            loop=self._settings.loop,
        )

    def _end(self, error: IngestError | None) -> None:
        self.failure = str(error or "")
        self._become(CameraState.ENDED, self.failure)

    def _become(self, state: CameraState, reason: str) -> None:
        if self.health.become(state, reason):
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._changed()
