"""Evidence that a track is a person: its mean score over time, and whether it ever moves.

One picture is not enough: goods and patterned clothes reach the scores of half of the real faces. A real face
keeps its score from frame to frame, a pattern only sometimes looks like a face; therefore the mean score of
the last second decides. People also move: a face that has not moved needs a higher score, and a face that has
not moved for a minute is an object, such as a picture on a pack or a poster.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.detector import ScoreLevels

RECENT_US = MICROSECONDS
"""Time constant of the mean score."""
OBJECT_US = 60 * MICROSECONDS
"""Time without movement after which a track is an object: a person who reads a label keeps the head still for
seconds, but not for a minute."""
MIN_SHIFT = 0.15
"""Share of the face's size by which an edge must shift to count as movement. With camera noise added, 3 of
1053 photographs of goods seem to shift so far within a minute; 10 shift by 0.1 and 34 by 0.05."""
CLEAR = 0.6
"""Share of the way from `face` to `sure` that the mean score of a moving track must reach once. On the real
clips the backs of heads reach 0.54, and faces reach 0.75 or more."""
_SMOOTHING = 0.2
"""Weight of each new box in the mean position: single boxes jump as far as a slow face moves."""


class Evidence:
    """The evidence from all detections of one track."""

    def __init__(self) -> None:
        self.score = 0.0
        """Mean score of the last second, or of all detections while there are few."""
        self._best = 0.0
        self._count = 0
        self._last_seen = 0
        self._mean_edges = np.zeros(4)
        self._anchor = np.zeros(4)
        self._still_since = 0
        self._moved = False

    def add_detection(self, box: NDArray[np.float32], score: float, time_us: int) -> None:
        """Add a detection: box (4,) x, y, w, h in pixels, score 0 to 1, time in microseconds."""
        edges = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float64)
        if not self._count:
            self._mean_edges, self._anchor, self._still_since = edges, edges, time_us
        self._count += 1
        absence = max(time_us - self._last_seen, 0)
        self.score += max(1 / self._count, 1 - math.exp(-absence / RECENT_US)) * (score - self.score)
        self._best = max(self._best, self.score)
        self._last_seen = time_us
        self._mean_edges = self._mean_edges + _SMOOTHING * (edges - self._mean_edges)
        size = math.sqrt(float(box[2]) * float(box[3]))
        if float(np.abs(self._mean_edges - self._anchor).max()) > MIN_SHIFT * size:
            self._anchor, self._still_since, self._moved = self._mean_edges, time_us, True

    def is_person(self, levels: ScoreLevels) -> bool:
        """Whether the track is a person's face, as of its last detection."""
        if self._last_seen - self._still_since > OBJECT_US:
            return False
        if not self._moved:
            return self.score >= levels.sure
        clear = levels.face + CLEAR * (levels.sure - levels.face)
        return self.score >= levels.face and self._best >= clear
