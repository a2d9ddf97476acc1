"""Exponential back-off with jitter, for cameras that are opened again."""

from __future__ import annotations

import random

_JITTER = 1.25


class Backoff:
    """Waits that double from `first` to `last` seconds, each made longer at random by up to a quarter.

    The jitter spreads the attempts of cameras that were lost at the same time. A camera that was healthy for
    `last` seconds starts with `first` again. With 1 and 60 seconds a camera is opened at most five times in
    any minute.
    """

    def __init__(self, first: float, last: float) -> None:
        self._first = first
        self._last = last
        self._next = first

    def next_wait(self, healthy_for: float) -> float:
        """Seconds to wait after a failure that followed so many healthy seconds."""
        if healthy_for >= self._last:
            self._next = self._first
        wait = min(self._next, self._last / _JITTER)
        self._next = min(2 * wait, self._last)
        return wait * random.uniform(1, _JITTER)
