"""What speaks for a track being a person: how much it looks like a face, and whether it ever moves.

One picture cannot tell: goods and patterned clothes reach the scores of half the real faces. Time can. A
face keeps its score from frame to frame where a pattern only now and then looks like one, so that the
mean of the last second is what counts. And people move: what stands still has to look like a face beyond
doubt, and what has stood still for a minute is a thing, a picture on a pack or a poster.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.detector import ScoreLevels

RECENT_US = MICROSECONDS
"""Time constant of the mean score."""
THING_US = 60 * MICROSECONDS
"""A person who reads a label holds the head still for seconds, none for a minute."""
MOVED = 0.15
"""Share of its size by which an edge of a face has to shift. With camera noise added, 3 of 1053 photographs
of goods seem to move so far in a minute, 10 move by 0.1 and 34 by 0.05."""
CLEAR = 0.6
"""Share of the way from `face` to `sure` that the mean score of a person who moves has to reach once. On the
real clips the backs of heads stay below 0.48 of it, and no face stays below 1."""
_SMOOTHING = 0.2
"""Weight of each new box in the mean place: single boxes jump by as much as a slow face moves."""


class Evidence:
    """What the detections of one track say together."""

    def __init__(self) -> None:
        self.score = 0.0
        """Mean score of the last second, or of all detections while there are few."""
        self._best = 0.0
        self._count = 0
        self._last_seen = 0
        self._place = np.zeros(4)
        self._anchor = np.zeros(4)
        self._still_since = 0
        self._moved = False

    def add(self, box: NDArray[np.float32], score: float, time_us: int) -> None:
        """Take a detection: box (4,) x, y, w, h in pixels, score 0 to 1, time in microseconds."""
        edges = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float64)
        if not self._count:
            self._place, self._anchor, self._still_since = edges, edges, time_us
        self._count += 1
        away = max(time_us - self._last_seen, 0)
        self.score += max(1 / self._count, 1 - math.exp(-away / RECENT_US)) * (score - self.score)
        self._best = max(self._best, self.score)
        self._last_seen = time_us
        self._place = self._place + _SMOOTHING * (edges - self._place)
        size = math.sqrt(float(box[2]) * float(box[3]))
        if float(np.abs(self._place - self._anchor).max()) > MOVED * size:
            self._anchor, self._still_since, self._moved = self._place, time_us, True

    def convinces(self, levels: ScoreLevels) -> bool:
        """Whether the track is a person's face, as far as its last detection tells."""
        if self._last_seen - self._still_since > THING_US:
            return False
        if not self._moved:
            return self.score >= levels.sure
        clear = levels.face + CLEAR * (levels.sure - levels.face)
        return self.score >= levels.face and self._best >= clear
