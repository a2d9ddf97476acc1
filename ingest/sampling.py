"""Which pictures of a stream are taken."""

from __future__ import annotations

_ROUNDING = 1e-6
_MOST_OWED = 2.0


class Sampler:
    """Takes `fps` pictures per second of a stream that brings more, every one of a stream that brings fewer.

    Every second earns `fps` pictures and every one taken costs one. Up to two may be owed: a camera whose
    pictures come as often as they are wanted, but never quite evenly, loses none.

    Args:
        fps: None takes every picture.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._owed = 1.0
        self._last: float | None = None

    def wants(self, time_s: float) -> bool:
        """Whether to take the picture of this time (seconds on any clock that never goes back)."""
        if self._fps is None:
            return True
        if self._last is not None:
            self._owed = min(self._owed + (time_s - self._last) * self._fps, _MOST_OWED)
        self._last = time_s
        if self._owed < 1 - _ROUNDING:
            return False
        self._owed -= 1
        return True
