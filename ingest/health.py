"""The books of one camera: the state it is in and what became of its pictures, until both are stored."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from typing import Protocol

from bus.messages import CameraHealth, CameraMinute, CameraState, minute_of

_REPORT_EVERY = 5.0
_FPS_WINDOW = 10.0
_LONGEST_REASON = 500

_log = logging.getLogger(__name__)


class CaptureSink(Protocol):
    """Where health and counts go.

    Either method may raise one of the `outages` that the supervisor was given: nothing was stored then, and
    it is called again later.
    """

    def report(self, health: CameraHealth) -> None:
        """Store the state of one camera in the place of the one before."""

    def count(self, minute: CameraMinute) -> None:
        """Add one increment."""


def wall_clock_us() -> int:
    """Microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


class Health:
    """The state of one camera. Any number of threads may share it."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._state = CameraState.CONNECTING
        self._reason = ""
        self._since = wall_clock_us()
        self._last_frame_at: int | None = None
        self._opened = 0
        self._published: deque[float] = deque()
        self._version = 1
        self._told_version = 0
        self._told_at = 0.0

    def become(self, state: CameraState, reason: str = "") -> bool:
        """Enter a state, for a reason that may change within it; whether either is new.

        Of the reason, in which a camera's own words may be, one line of printable text is kept.
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

    def opening(self) -> None:
        """The source is being opened, for the first time or again."""
        with self._lock:
            self._opened += 1

    def published(self, captured_at: int) -> None:
        """A picture went on its way."""
        with self._lock:
            self._last_frame_at = captured_at
            self._published.append(time.monotonic())
            self._forget_old()

    def report(self, sink: CaptureSink) -> None:
        """Tell the sink what is new; where nothing is, every few seconds that nothing is."""
        now = time.monotonic()
        with self._lock:
            version = self._version
            if version == self._told_version and now - self._told_at < _REPORT_EVERY:
                return
            health = self._health()
        sink.report(health)
        self._told_version, self._told_at = version, now

    @property
    def now(self) -> CameraHealth:
        """The state as it would be reported."""
        with self._lock:
            return self._health()

    def _health(self) -> CameraHealth:
        self._forget_old()
        span = time.monotonic() - self._published[0] if self._published else 0.0
        return CameraHealth(
            camera_id=self._camera_id,
            state=self._state,
            reason=self._reason,
            since=self._since,
            reported_at=wall_clock_us(),
            fps=(len(self._published) - 1) / span if span > 0 else 0.0,
            last_frame_at=self._last_frame_at,
            reconnects=max(0, self._opened - 1),
        )

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _FPS_WINDOW
        while self._published and self._published[0] < oldest:
            self._published.popleft()


class Tally:
    """Counts of one camera that are not stored yet. Any number of threads may share it."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._captured: Counter[int] = Counter()
        self._dropped: dict[int, Counter[str]] = {}

    def captured(self, time_us: int) -> None:
        """A picture was sampled, whatever becomes of it."""
        with self._lock:
            self._captured[minute_of(time_us)] += 1

    def dropped(self, time_us: int, reason: str, frames: int = 1) -> None:
        """Sampled pictures that will never be analysed."""
        with self._lock:
            self._dropped.setdefault(minute_of(time_us), Counter())[reason] += frames

    def store(self, sink: CaptureSink) -> None:
        """Hand all counts to the sink; where it raises, what it did not take is kept."""
        with self._lock:
            minutes = sorted(self._captured.keys() | self._dropped.keys())
        for minute in minutes:
            with self._lock:
                captured, dropped = self._captured[minute], Counter(self._dropped.get(minute, {}))
            sink.count(CameraMinute(self._camera_id, minute, captured=captured, dropped=dropped))
            self._forget(minute, captured, dropped)

    @property
    def pictures(self) -> int:
        """Pictures that were sampled and are not stored yet."""
        with self._lock:
            return self._captured.total()

    def _forget(self, minute: int, captured: int, dropped: Counter[str]) -> None:
        """Take off what is stored; pictures may have come meanwhile."""
        with self._lock:
            self._captured[minute] -= captured
            self._dropped[minute] = self._dropped.get(minute, Counter()) - dropped
            if not self._captured[minute]:
                del self._captured[minute]
            if not self._dropped[minute]:
                del self._dropped[minute]
