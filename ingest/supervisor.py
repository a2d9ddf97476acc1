"""Supervisor of all captures: follows the list of cameras, and stores health and counts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType

from bus.messages import CameraState
from bus.sinks import CaptureSink, SinkUnavailable
from bus.transport import FrameWriter
from ingest.cameras import Camera, CameraList
from ingest.capture import Capture, CaptureSettings

_STORE_EVERY = 1.0
_STOP_TIMEOUT = 3.0
_RETRY_EVERY = 0.2

_log = logging.getLogger(__name__)


class Supervisor:
    """Captures the cameras of a list, independently of each other, and follows the list as it changes.

    A new camera is started, a removed or paused one is stopped, a changed one is restarted; the others are
    not affected. Health and counts are stored about once per second; while the sink is unavailable they are
    kept.

    Args:
        cameras: the list.
        writer: the capture's side of the bus; `stop` leaves it open.
        sink: stores health and counts.
        settings: how cameras are read.
        follow_every: seconds between two readings of the list.
        environ: the variables to which sources may refer.
    """

    def __init__(
        self,
        cameras: CameraList,
        writer: FrameWriter,
        sink: CaptureSink,
        settings: CaptureSettings,
        *,
        follow_every: float = 2.0,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.ended = threading.Event()
        """Set once every capture has ended and its counts are stored, or the supervisor has stopped.

        Paused cameras do not matter; a live camera never ends.
        """
        self._list = cameras
        self._writer = writer
        self._sink = sink
        self._settings = settings
        self._follow_every = follow_every
        self._environ = environ
        self._listed: dict[str, Camera] = {}
        self._captures: dict[str, Capture] = {}
        self._stopping: list[Capture] = []
        self._sink_unavailable = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._stop_by = 0.0
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the supervisor's thread; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = _STOP_TIMEOUT) -> None:
        """Stop all captures and store the remaining counts, within `timeout` seconds.

        A stuck camera is abandoned: nothing of it is published any more.
        """
        self._stop_by = time.monotonic() + timeout
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)

    def failures(self) -> Mapping[str, str]:
        """Recordings that could not be read to their end: the reason by camera id."""
        return {key: capture.failure for key, capture in list(self._captures.items()) if capture.failure}

    def _run(self) -> None:
        with ExitStack() as cleanup:
            cleanup.callback(self.ended.set)
            cleanup.callback(self._stop_captures)
            self._supervise()

    def _supervise(self) -> None:
        follow_at = 0.0
        while not self._stop.is_set():
            if time.monotonic() >= follow_at:
                self._read_list()
                follow_at = time.monotonic() + self._follow_every
            self._reconcile()
            all_ended = self._all_ended()
            if self._store() and all_ended:
                self.ended.set()
            self._wake.wait(min(_STORE_EVERY, self._follow_every))
            self._wake.clear()

    def _read_list(self) -> None:
        try:
            self._listed = {camera.id: camera for camera in self._list.cameras()}
        except SinkUnavailable as error:
            _log.warning("the list of cameras cannot be read, the previous one stays in force: %s", error)

    def _reconcile(self) -> None:
        for key, capture in list(self._captures.items()):
            if self._listed.get(key) != capture.camera:
                capture.stop()
                self._stopping.append(self._captures.pop(key))
        still_open = {capture.camera.id for capture in self._stopping if capture.is_running}
        for key, camera in self._listed.items():
            if key not in self._captures and key not in still_open:
                capture = Capture(camera, self._writer, self._settings, self._environ, self._wake.set)
                self._captures[key] = capture
                capture.start()

    def _store(self) -> bool:
        """Store health and counts of all captures; False if the sink is unavailable."""
        ended = [capture for capture in self._stopping if not capture.is_running]
        try:
            for capture in self._stopping:
                capture.store_counts(self._sink)
            for capture in self._captures.values():
                capture.store_counts(self._sink)
                capture.health.report(self._sink)
        except SinkUnavailable as error:
            if not self._sink_unavailable:
                _log.error("health and counts cannot be stored, they are kept: %s", error)
            self._sink_unavailable = True
            return False
        self._stopping = [capture for capture in self._stopping if capture not in ended]
        self._sink_unavailable = False
        return True

    def _all_ended(self) -> bool:
        states = [capture.health.current.state for capture in self._captures.values()]
        return CameraState.ENDED in states and set(states) <= {CameraState.ENDED, CameraState.PAUSED}

    def _stop_captures(self) -> None:
        stop_by = self._stop_by or time.monotonic() + _STOP_TIMEOUT
        captures = [*self._stopping, *self._captures.values()]
        for capture in captures:
            capture.stop()
        for capture in captures:
            capture.join(max(0.0, stop_by - time.monotonic()))
            capture.report_stopped()
        while not self._store() and time.monotonic() < stop_by:
            time.sleep(_RETRY_EVERY)
        for capture in captures:
            if lost := capture.unstored_pictures:
                _log.error("camera %s: the counts of %d pictures were not stored", capture.camera.id, lost)
