"""Counts of captured and dropped pictures of one camera, buffered until they are stored."""

from __future__ import annotations

import threading
from collections import Counter

from bus.messages import CameraMinute, minute_of
from bus.sinks import CaptureSink


class CaptureCounts:
    """Counts of one camera that are not stored yet. Any number of threads may share it."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._captured: Counter[int] = Counter()
        self._dropped: dict[int, Counter[str]] = {}

    def add_captured(self, time_us: int) -> None:
        """Count a picture that was sampled, whether it is published or dropped later."""
        with self._lock:
            self._captured[minute_of(time_us)] += 1

    def add_dropped(self, time_us: int, reason: str, frames: int = 1) -> None:
        """Count sampled pictures that are never analysed."""
        with self._lock:
            self._dropped.setdefault(minute_of(time_us), Counter())[reason] += frames

    def store(self, sink: CaptureSink) -> None:
        """Store all counts; if the sink raises, the counts that it did not store are kept."""
        with self._lock:
            minutes = sorted(self._captured.keys() | self._dropped.keys())
        for minute in minutes:
            with self._lock:
                captured, dropped = self._captured[minute], Counter(self._dropped.get(minute, {}))
            sink.count(CameraMinute(self._camera_id, minute, captured=captured, dropped=dropped))
            self._subtract(minute, captured, dropped)

    @property
    def unstored(self) -> int:
        """Number of sampled pictures whose counts are not stored yet."""
        with self._lock:
            return self._captured.total()

    def _subtract(self, minute: int, captured: int, dropped: Counter[str]) -> None:
        """Remove what is stored; other threads may have added to it in the meantime."""
        with self._lock:
            self._captured[minute] -= captured
            self._dropped[minute] = self._dropped.get(minute, Counter()) - dropped
            if not self._captured[minute]:
                del self._captured[minute]
            if not self._dropped[minute]:
                del self._dropped[minute]
