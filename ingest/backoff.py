"""How long to wait before a camera is tried again."""

from __future__ import annotations

import random

_JITTER = 1.25


class Backoff:
    """Waits that double from `first` to `last` seconds, each made longer at random by up to a quarter.

    The jitter keeps cameras that were lost together from coming back together. A camera that was well for
    `last` seconds begins anew. With 1 and 60 seconds a camera is started again at most five times in any
    minute.
    """

    def __init__(self, first: float, last: float) -> None:
        self._first = first
        self._last = last
        self._next = first

    def next_wait(self, well_for: float) -> float:
        """Seconds to wait now that it broke again, after it was well for so many seconds."""
        if well_for >= self._last:
            self._next = self._first
        wait = min(self._next, self._last / _JITTER)
        self._next = min(2 * wait, self._last)
        return wait * random.uniform(1, _JITTER)
