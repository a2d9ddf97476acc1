"""Spacing of the pictures of one camera: the time from one to the next, which decides what a gap is."""

from __future__ import annotations

from collections import deque
from statistics import median_low
from typing import NamedTuple

from bus.messages import MICROSECONDS

LONGEST_US = 10 * MICROSECONDS
"""Spacing at the lowest rate, 0.1 pictures per second."""
_MAX_STEP_US = 2 * MICROSECONDS
_MAX_SPACINGS = 2
"""A picture covers the time since the previous one, but at most this long, or this many times the camera's
usual spacing where that is more."""
_STEPS = 9
"""The spacing is the median of so many steps, so that a few lost pictures do not change it."""


class Step(NamedTuple):
    """The step from one picture to the next: parts of the time between them, in microseconds."""

    watched_us: int
    """What the picture and the unchanged ones before it cover; in the rest the camera saw nothing."""
    still_us: int
    """The part of it in which the scene showed no change."""


class Spacing:
    """The usual time between the pictures of one camera, measured from their times of capture.

    Pictures that were not published because they showed no change count as pictures: a camera whose scene is
    still does not become a slow one.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._steps: deque[int] = deque(maxlen=_STEPS)

    def add(self, time_us: int, unchanged: int = 0) -> Step:
        """Add the next picture, with the number of unchanged ones directly before it; the step to it.

        A time before that of the previous picture starts again.
        """
        if self._last is None or time_us <= self._last:
            self._last = time_us
            return Step(0, 0)
        step = time_us - self._last
        self._last = time_us
        self._steps.append(min(step // (unchanged + 1), LONGEST_US))
        longest = max(_MAX_STEP_US, _MAX_SPACINGS * self.usual_us)
        watched = min(step, unchanged * self.usual_us + longest)
        return Step(watched, watched - watched // (unchanged + 1))

    @property
    def latest_us(self) -> int:
        """The time of the latest picture, 0 before the first."""
        return self._last or 0

    @property
    def usual_us(self) -> int:
        """The usual spacing in microseconds, 0 before the second picture."""
        return median_low(self._steps) if self._steps else 0
