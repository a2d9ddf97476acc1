"""Token bucket that selects the pictures of a stream that are published."""

from __future__ import annotations

_ROUNDING = 1e-6
_CAPACITY = 2.0


class Sampler:
    """Selects `fps` pictures per second of a faster stream, and every picture of a slower one.

    A token bucket: `fps` tokens are added per second of the stream, and each selected picture takes one. The
    bucket holds two tokens, so that a camera whose pictures arrive at the wanted rate but at irregular
    intervals loses none.

    Args:
        fps: None selects every picture.
    """

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._tokens = 1.0
        self._last: float | None = None

    def select(self, time_s: float) -> bool:
        """Whether the picture of this time is selected; seconds on any clock that never runs backwards."""
        if self._fps is None:
            return True
        if self._last is not None:
            self._tokens = min(self._tokens + (time_s - self._last) * self._fps, _CAPACITY)
        self._last = time_s
        if self._tokens < 1 - _ROUNDING:
            return False
        self._tokens -= 1
        return True
