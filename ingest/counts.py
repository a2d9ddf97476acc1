"""Counts of the pictures of one camera that are not published, buffered until they are stored.

A picture that is published is counted by the worker that reads it, in the transaction of its result. So
captured equals the sum of all outcomes also after a capture was killed: pictures that were lost with it are
on neither side.
"""

from __future__ import annotations

import threading
from collections import Counter

from bus.messages import CameraMinute, minute_of
from bus.sinks import CaptureSink


class CaptureCounts:
    """Counts of one camera. Any number of threads may share it."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._captured = 0
        self._unchanged: Counter[int] = Counter()
        self._dropped: dict[int, Counter[str]] = {}

    @property
    def captured(self) -> int:
        """Number of sampled pictures so far, also of those that were published."""
        with self._lock:
            return self._captured

    def add_captured(self) -> None:
        """Count a picture that was sampled, whether it is published or not."""
        with self._lock:
            self._captured += 1

    def add_unchanged(self, time_us: int) -> None:
        """Count a sampled picture that is not published, because it shows no change."""
        with self._lock:
            self._unchanged[minute_of(time_us)] += 1

    def add_dropped(self, time_us: int, reason: str, frames: int = 1) -> None:
        """Count sampled pictures that are never analysed."""
        with self._lock:
            self._dropped.setdefault(minute_of(time_us), Counter())[reason] += frames

    def store(self, sink: CaptureSink) -> None:
        """Store all counts; if the sink raises, the counts that it did not store are kept."""
        with self._lock:
            minutes = sorted(self._unchanged.keys() | self._dropped.keys())
        for minute in minutes:
            with self._lock:
                unchanged, dropped = self._unchanged[minute], Counter(self._dropped.get(minute, {}))
            captured = unchanged + dropped.total()
            sink.count(CameraMinute(self._camera_id, minute, captured, unchanged=unchanged, dropped=dropped))
            self._subtract(minute, unchanged, dropped)

    @property
    def unstored(self) -> int:
        """Number of pictures whose counts are not stored yet."""
        with self._lock:
            return self._unchanged.total() + sum(each.total() for each in self._dropped.values())

    def _subtract(self, minute: int, unchanged: int, dropped: Counter[str]) -> None:
        """Remove what is stored; other threads may have added to it in the meantime."""
        with self._lock:
            self._unchanged[minute] -= unchanged
            self._dropped[minute] = self._dropped.get(minute, Counter()) - dropped
            if not self._unchanged[minute]:
                del self._unchanged[minute]
            if not self._dropped[minute]:
                del self._dropped[minute]
