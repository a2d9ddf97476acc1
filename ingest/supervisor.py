"""All cameras together: what is captured follows the list of cameras, and what happens is stored."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import MappingProxyType

from bus.messages import CameraState
from bus.transport import FrameWriter
from ingest.cameras import Camera, CameraList
from ingest.capture import Capture, CaptureSettings
from ingest.health import CaptureSink

_STORE_EVERY = 1.0
_PATIENCE = 3.0
_TRY_AGAIN = 0.2

_log = logging.getLogger(__name__)


class Supervisor:
    """Captures the cameras of a list, each apart from the others, and follows the list as it changes.

    A camera that is new is started, one that is gone or paused is stopped, one that changed is started anew;
    the others never notice. Health and counts are stored about once a second; while the sink is away they are
    kept.

    Args:
        cameras: what is to be watched.
        writer: the capture's side of the bus; it stays open when all is stopped.
        sink: where health and counts go.
        settings: how cameras are read.
        outages: what the list and the sink raise while they are away. Anything else stops all captures.
        follow_every: seconds from one look at the list to the next.
        environ: the variables to which sources may refer.
    """

    def __init__(
        self,
        cameras: CameraList,
        writer: FrameWriter,
        sink: CaptureSink,
        settings: CaptureSettings,
        *,
        outages: tuple[type[Exception], ...] = (),
        follow_every: float = 2.0,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.ended = threading.Event()
        """Set once every capture has ended and its counts are stored, or the supervisor itself has stopped.

        Paused cameras are not waited for; a live camera never ends.
        """
        self._list = cameras
        self._writer = writer
        self._sink = sink
        self._settings = settings
        self._outages = outages
        self._follow_every = follow_every
        self._environ = environ
        self._wanted: dict[str, Camera] = {}
        self._captures: dict[str, Capture] = {}
        self._leaving: list[Capture] = []
        self._sink_is_away = False
        self._stop = threading.Event()
        self._news = threading.Event()
        self._patience = 0.0
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self, timeout: float = _PATIENCE) -> None:
        """Stop all captures and store what is left to be stored, within `timeout` seconds.

        A camera that hangs is left behind: nothing of it is published any more.
        """
        self._patience = time.monotonic() + timeout
        self._stop.set()
        self._news.set()
        self._thread.join(timeout)

    def failures(self) -> Mapping[str, str]:
        """Recordings that could not be read, or not to their end: the reason by camera id."""
        return {key: capture.failure for key, capture in list(self._captures.items()) if capture.failure}

    def _run(self) -> None:
        with ExitStack() as at_last:
            at_last.callback(self.ended.set)
            at_last.callback(self._wind_down)
            self._supervise()

    def _supervise(self) -> None:
        follow_at = 0.0
        while not self._stop.is_set():
            if time.monotonic() >= follow_at:
                self._follow()
                follow_at = time.monotonic() + self._follow_every
            self._reconcile()
            all_ended = self._all_ended()
            if self._store() and all_ended:
                self.ended.set()
            self._news.wait(min(_STORE_EVERY, self._follow_every))
            self._news.clear()

    def _follow(self) -> None:
        try:
            self._wanted = {camera.id: camera for camera in self._list.cameras()}
        except self._outages as error:
            _log.warning("the list of cameras cannot be read, the last one stays in force: %s", error)

    def _reconcile(self) -> None:
        for key, capture in list(self._captures.items()):
            if self._wanted.get(key) != capture.camera:
                capture.stop()
                self._leaving.append(self._captures.pop(key))
        still_open = {capture.camera.id for capture in self._leaving if capture.is_running}
        for key, camera in self._wanted.items():
            if key not in self._captures and key not in still_open:
                capture = Capture(camera, self._writer, self._settings, self._environ, self._news.set)
                self._captures[key] = capture
                capture.start()

    def _store(self) -> bool:
        """Store health and counts of all captures; False where the sink is away."""
        gone = [capture for capture in self._leaving if not capture.is_running]
        try:
            for capture in self._leaving:
                capture.count(self._sink)
            for capture in self._captures.values():
                capture.count(self._sink)
                capture.health.report(self._sink)
        except self._outages as error:
            if not self._sink_is_away:
                _log.error("health and counts cannot be stored, they are kept: %s", error)
            self._sink_is_away = True
            return False
        self._leaving = [capture for capture in self._leaving if capture not in gone]
        self._sink_is_away = False
        return True

    def _all_ended(self) -> bool:
        states = [capture.health.now.state for capture in self._captures.values()]
        return CameraState.ENDED in states and set(states) <= {CameraState.ENDED, CameraState.PAUSED}

    def _wind_down(self) -> None:
        patience = self._patience or time.monotonic() + _PATIENCE
        captures = [*self._leaving, *self._captures.values()]
        for capture in captures:
            capture.stop()
        for capture in captures:
            capture.join(max(0.0, patience - time.monotonic()))
            capture.tell_stopped()
        while not self._store() and time.monotonic() < patience:
            time.sleep(_TRY_AGAIN)
        for capture in captures:
            if lost := capture.pictures_not_counted:
                _log.error("camera %s: the counts of %d pictures were not stored", capture.camera.id, lost)
