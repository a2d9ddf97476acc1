"""Frame counts by camera and minute, collected between two writes.

A frame counts as captured together with its outcome, so that both are stored or neither is.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from bus.messages import CameraMinute, minute_of
from inference.spacing import Spacing

_OUTCOMES = ("analysed", "stale", "failed", "superseded")


class FrameCounts:
    """Counts frames by outcome; `take` returns the counts and resets them."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._spacings: defaultdict[str, Spacing] = defaultdict(Spacing)

    def add_analysed(
        self, camera_id: str, captured_at: int, faces: int, age_us: int, unchanged: int = 0
    ) -> None:
        """Count an analysed frame with `faces` faces; the analysis ended `age_us` after the capture.

        It covers the time of the `unchanged` pictures before it, which were not published, too.
        """
        counts = self._counts[camera_id, minute_of(captured_at)]
        step = self._spacings[camera_id].add(captured_at, unchanged)
        counts["analysed"] += 1
        counts["faces"] += faces
        counts["age_sum_us"] += age_us
        counts["watched_us"] += step.watched_us

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

    def forget(self, camera_id: str) -> None:
        """Forget when the latest frame of a camera was: the time until its next one is counted elsewhere."""
        self._spacings.pop(camera_id, None)

    def take(self) -> tuple[CameraMinute, ...]:
        """The counts since the last call, one increment per camera and minute."""
        minutes = tuple(
            CameraMinute(
                camera_id,
                minute,
                captured=sum(counts[outcome] for outcome in _OUTCOMES),
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
