"""Supervisor of all captures: follows the list of cameras, and stores health and counts."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack

from bus.messages import CameraState
from bus.sinks import CaptureSink, SinkUnavailable
from bus.transport import FrameWriter
from ingest.cameras import Camera, CameraList
from ingest.capture import Capture, CaptureSettings
from ingest.leases import LeaseKeeper, Wishes
from ingest.sources import NO_VARIABLES, SourceRules, is_recording

_STORE_EVERY = 1.0
_STOP_TIMEOUT = 3.0
_RETRY_EVERY = 0.2

_log = logging.getLogger(__name__)


class Supervisor:
    """Captures the cameras of a list, independently of each other, and follows the list as it changes.

    A camera is captured while this process holds its lease. A new camera is started, a removed or paused one
    is stopped, a changed one is restarted, except that a change of its policy needs no restart; the others
    are not affected. Health and counts are stored about
    once per second; while the sink is unavailable they are kept.

    A recording that another process reads is not read again: it counts as failed. A capture of a recording
    continues after its lease has expired, as long as no other process took it over.

    Args:
        cameras: the list.
        leases: of the cameras; `stop` leaves the keeper running.
        writer: the capture's side of the bus; `stop` leaves it open.
        sink: stores health and counts.
        settings: how cameras are read.
        follow_every: seconds between two readings of the list.
        rules: what sources may refer to, and where they may lead.
    """

    def __init__(
        self,
        cameras: CameraList,
        leases: LeaseKeeper,
        writer: FrameWriter,
        sink: CaptureSink,
        settings: CaptureSettings,
        *,
        follow_every: float = 2.0,
        rules: SourceRules = NO_VARIABLES,
    ) -> None:
        self.ended = threading.Event()
        """Set once every capture has ended and its counts are stored, or the supervisor has stopped.

        Paused cameras do not matter; a live camera never ends.
        """
        self.error: Exception | None = None
        """What ended the supervisor's thread; health and counts are not stored any more."""
        self._list = cameras
        self._leases = leases
        self._writer = writer
        self._sink = sink
        self._settings = settings
        self._follow_every = follow_every
        self._rules = rules
        self._listed: dict[str, Camera] = {}
        self._captures: dict[str, Capture] = {}
        self._stopping: list[Capture] = []
        self._unstarted: set[str] = set()
        self._read_elsewhere: dict[str, str] = {}
        self._captured: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._sink_unavailable = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._stop_by = 0.0
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the supervisor's thread; returns at once."""
        self._leases.on_change = self._wake.set
        self._thread.start()

    def stop(self, timeout: float = _STOP_TIMEOUT) -> None:
        """Stop all captures and store the remaining counts, within `timeout` seconds.

        A stuck camera is abandoned: nothing of it is published any more.
        """
        self._stop_by = time.monotonic() + timeout
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            _log.error(
                "captures have not ended within %.0f s: their last counts and states may not be stored",
                timeout,
            )

    def check(self) -> None:
        """Raise what ended the supervisor or the keeper of its leases, if anything did.

        To be called regularly, and once more after `stop`: the captures do not work without either of them.
        """
        if self.error is not None:
            raise self.error
        self._leases.check()

    def failures(self) -> Mapping[str, str]:
        """Recordings that could not be read to their end: the reason by camera id."""
        failed = {key: capture.failure for key, capture in list(self._captures.items()) if capture.failure}
        return failed | dict(self._read_elsewhere)

    def states(self) -> list[CameraState]:
        """The state of each camera that this process captures now, also of paused and closed ones."""
        return [capture.health.current.state for capture in list(self._captures.values())]

    def captured(self) -> Mapping[str, int]:
        """Number of sampled pictures so far, by camera id."""
        with self._counting:
            total = Counter(self._captured)
            for capture in [*self._stopping, *list(self._captures.values())]:
                total[capture.camera.id] += capture.captured
            return total

    def _run(self) -> None:
        try:
            with ExitStack() as cleanup:
                cleanup.callback(self._stop_captures)
                self._supervise()
        except Exception as error:
            self.error = error
            raise
        finally:
            self.ended.set()

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
            listed = self._listed.get(key)
            if listed is None or self._must_end(capture) or not capture.follow(listed):
                capture.stop()
                with self._counting:
                    self._stopping.append(self._captures.pop(key))
        self._find_recordings_elsewhere()
        still_open = {capture.camera.id for capture in self._stopping if capture.is_running}
        in_use = frozenset(self._captures) | still_open
        wanted = frozenset(self._listed) - self._read_elsewhere.keys()
        movable = frozenset(key for key in wanted if not self._is_finite(self._listed[key]))
        self._leases.update(Wishes(wanted, movable, in_use))
        for key in sorted(wanted - in_use):
            camera, lease = self._listed[key], self._leases.lease_of(key)
            if lease is not None:
                capture = Capture(camera, self._writer, lease, self._settings, self._rules, self._wake.set)
                if self._starts(capture):
                    self._captures[key] = capture

    def _starts(self, capture: Capture) -> bool:
        """Start a capture; False where the system starts no further thread: it is tried again in a moment."""
        camera_id = capture.camera.id
        try:
            capture.start()
        except RuntimeError as error:
            if camera_id not in self._unstarted:
                _log.error("camera %s: %s; it is tried again until it starts", camera_id, error)
            self._unstarted.add(camera_id)
            return False
        self._unstarted.discard(camera_id)
        return True

    def _store(self) -> bool:
        """Store health and counts of all captures; False if the sink is unavailable."""
        ended = [capture for capture in self._stopping if not capture.is_running]
        try:
            for capture in self._stopping:
                capture.store_counts(self._sink)
            for capture in self._captures.values():
                capture.store_counts(self._sink)
                if capture.lease.is_valid:
                    capture.health.report(self._sink)
        except SinkUnavailable as error:
            if not self._sink_unavailable:
                _log.error("health and counts cannot be stored, they are kept: %s", error)
            self._sink_unavailable = True
            return False
        with self._counting:
            for capture in ended:
                self._stopping.remove(capture)
                self._captured[capture.camera.id] += capture.captured
        self._sink_unavailable = False
        return True

    def _must_end(self, capture: Capture) -> bool:
        """Whether another process may capture this camera now."""
        if self._is_finite(capture.camera):
            return capture.lease.is_lost
        return self._leases.lease_of(capture.camera.id) is not capture.lease

    def _is_finite(self, camera: Camera) -> bool:
        return is_recording(camera.source) and not self._settings.loop

    def _find_recordings_elsewhere(self) -> None:
        """Note the recordings that another process reads; they stay with it."""
        for key, camera in self._listed.items():
            holder = self._leases.holder_of(key)
            if (
                holder
                and key not in self._captures
                and key not in self._read_elsewhere
                and self._is_finite(camera)
            ):
                self._read_elsewhere[key] = f"is read by {holder}"
                _log.warning("camera %s: the recording is read by %s, and not a second time", key, holder)
        for key in self._read_elsewhere.keys() - self._listed.keys():
            del self._read_elsewhere[key]

    def _all_ended(self) -> bool:
        if self._listed.keys() - self._captures.keys() - self._read_elsewhere.keys():
            return False
        states = [capture.health.current.state for capture in self._captures.values()]
        states += [CameraState.ENDED] * len(self._read_elsewhere)
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
