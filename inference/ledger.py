"""What became of the frames: counted by camera and minute until the next write."""

from __future__ import annotations

from collections import Counter, defaultdict

from bus.messages import MICROSECONDS, CameraMinute, minute_of

_LONGEST_STEP_US = 2 * MICROSECONDS
"""A frame stands for the time since the one before it, but for no more than this."""


class Ledger:
    """Counts frames; `take` hands the counts over and begins anew."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._last_analysed: dict[str, int] = {}

    def analysed(self, camera_id: str, captured_at: int, faces: int, age_us: int) -> None:
        """A frame was analysed: `faces` were found in it, `age_us` after its capture."""
        counts = self._counts[camera_id, minute_of(captured_at)]
        step = captured_at - self._last_analysed.get(camera_id, captured_at)
        self._last_analysed[camera_id] = captured_at
        counts["analysed"] += 1
        counts["faces"] += faces
        counts["age_sum_us"] += age_us
        counts["watched_us"] += min(max(step, 0), _LONGEST_STEP_US)

    def stale(self, camera_id: str, captured_at: int) -> None:
        """A frame was too old when its turn came."""
        self._counts[camera_id, minute_of(captured_at)]["stale"] += 1

    def failed(self, camera_id: str, time_us: int) -> None:
        """A frame could not be decoded."""
        self._counts[camera_id, minute_of(time_us)]["failed"] += 1

    def take(self) -> tuple[CameraMinute, ...]:
        """The counts since the last call, one increment per camera and minute."""
        minutes = tuple(
            CameraMinute(
                camera_id,
                minute,
                analysed=counts["analysed"],
                stale=counts["stale"],
                failed=counts["failed"],
                faces=counts["faces"],
                watched_us=counts["watched_us"],
                age_sum_us=counts["age_sum_us"],
            )
            for (camera_id, minute), counts in self._counts.items()
        )
        self._counts.clear()
        return minutes
