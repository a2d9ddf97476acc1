"""Deadline: one moment by which a sequence of steps must be done, however many bytes arrive in between."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock, `seconds` after its creation."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError where it has passed."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
