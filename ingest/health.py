"""State of one camera (connecting, online, retrying, paused and so on), and its reports to the sink."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from bus.messages import CameraHealth, CameraState
from bus.sinks import CaptureSink
from common.clock import wall_clock_us

_REPORT_EVERY = 5.0
_FPS_WINDOW = 10.0
_LEAST_TIMES = 2
"""Pictures that the rate is computed from, even if they are older than the window: cameras may be slow."""
_LONGEST_REASON = 500
_RECENT = 3600.0
"""Seconds over which recent reconnects are counted, at most so many as the deque holds."""
_MOST_REOPENED = 10_000

_log = logging.getLogger(__name__)


class HealthMonitor:
    """The state of one camera. Any number of threads may share it."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._state = CameraState.CONNECTING
        self._reason = ""
        self._since = wall_clock_us()
        self._last_frame_at: int | None = None
        self._openings = 0
        self._reopened: deque[float] = deque(maxlen=_MOST_REOPENED)
        self._published: deque[float] = deque()
        self._version = 1
        self._reported_version = 0
        self._reported_at = 0.0

    def set_state(self, state: CameraState, reason: str = "") -> bool:
        """Enter a state, for a reason that may change within it; returns whether either is new.

        The reason, which may quote the camera, is reduced to one line of printable text.
        """
        printable = "".join(each if each.isprintable() else " " for each in reason)
        reason = " ".join(printable.split())[:_LONGEST_REASON]
        with self._lock:
            if (state, reason) == (self._state, self._reason):
                return False
            if state is not self._state:
                self._since = wall_clock_us()
            self._state, self._reason = state, reason
            self._version += 1
        level = logging.WARNING if reason else logging.INFO
        _log.log(level, "camera %s: %s%s", self._camera_id, state.value, f": {reason}" if reason else "")
        return True

    def count_opening(self) -> None:
        """Count that the source is being opened, for the first time or again."""
        with self._lock:
            self._openings += 1
            if self._openings > 1:
                self._reopened.append(time.monotonic())

    def count_published(self, captured_at: int) -> None:
        """Count a frame that was published, or a picture that was not because it showed no change."""
        with self._lock:
            self._last_frame_at = captured_at
            self._published.append(time.monotonic())
            self._remove_old()

    def report(self, sink: CaptureSink) -> None:
        """Report the state to the sink if it changed, and every few seconds if it did not."""
        now = time.monotonic()
        with self._lock:
            version = self._version
            if version == self._reported_version and now - self._reported_at < _REPORT_EVERY:
                return
            health = self._make_health()
        sink.report(health)
        self._reported_version, self._reported_at = version, now

    @property
    def current(self) -> CameraHealth:
        """The state as it would be reported now."""
        with self._lock:
            return self._make_health()

    def _make_health(self) -> CameraHealth:
        self._remove_old()
        span = time.monotonic() - self._published[0] if self._published else 0.0
        return CameraHealth(
            camera_id=self._camera_id,
            state=self._state,
            reason=self._reason,
            since=self._since,
            reported_at=wall_clock_us(),
            fps=(len(self._published) - 1) / span if span > 0 else 0.0,
            last_frame_at=self._last_frame_at,
            reconnects=max(0, self._openings - 1),
            recent_reconnects=len(self._reopened),
        )

    def _remove_old(self) -> None:
        oldest = time.monotonic() - _FPS_WINDOW
        while self._reopened and self._reopened[0] < time.monotonic() - _RECENT:
            self._reopened.popleft()
        while len(self._published) > _LEAST_TIMES and self._published[0] < oldest:
            self._published.popleft()
