"""Frame counts by camera and minute, collected between two writes."""

from __future__ import annotations

from collections import Counter, defaultdict

from bus.messages import MICROSECONDS, CameraMinute, minute_of

_MAX_STEP_US = 2 * MICROSECONDS
"""A frame covers the time since the previous frame, but at most this long."""


class FrameCounts:
    """Counts frames by outcome; `take` returns the counts and resets them."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._last_analysed: dict[str, int] = {}

    def add_analysed(self, camera_id: str, captured_at: int, faces: int, age_us: int) -> None:
        """Count an analysed frame with `faces` faces; the analysis ended `age_us` after the capture."""
        counts = self._counts[camera_id, minute_of(captured_at)]
        step = captured_at - self._last_analysed.get(camera_id, captured_at)
        self._last_analysed[camera_id] = captured_at
        counts["analysed"] += 1
        counts["faces"] += faces
        counts["age_sum_us"] += age_us
        counts["watched_us"] += min(max(step, 0), _MAX_STEP_US)

    def add_stale(self, camera_id: str, captured_at: int) -> None:
        """Count a frame that was skipped because it was too old."""
        self._counts[camera_id, minute_of(captured_at)]["stale"] += 1

    def add_failed(self, camera_id: str, time_us: int) -> None:
        """Count a frame that could not be decoded."""
        self._counts[camera_id, minute_of(time_us)]["failed"] += 1

    def add_superseded(self, camera_id: str, captured_at: int) -> None:
        """Count a frame of a capture that another one has replaced."""
        self._counts[camera_id, minute_of(captured_at)]["superseded"] += 1

    def add_repeated(self, camera_id: str, time_us: int) -> None:
        """Count a frame that was read again, or after a newer one of its epoch."""
        self._counts[camera_id, minute_of(time_us)]["repeated"] += 1

    def take(self) -> tuple[CameraMinute, ...]:
        """The counts since the last call, one increment per camera and minute."""
        minutes = tuple(
            CameraMinute(
                camera_id,
                minute,
                analysed=counts["analysed"],
                stale=counts["stale"],
                failed=counts["failed"],
                superseded=counts["superseded"],
                repeated=counts["repeated"],
                faces=counts["faces"],
                watched_us=counts["watched_us"],
                age_sum_us=counts["age_sum_us"],
            )
            for (camera_id, minute), counts in self._counts.items()
        )
        self._counts.clear()
        return minutes
