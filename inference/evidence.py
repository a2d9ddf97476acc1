"""Evidence that a track is a person: its mean score over time, and that it moves, if only a little.

One picture is not enough: goods and patterned clothes reach the scores of half of the real faces. A real face
keeps its score from frame to frame, a pattern only sometimes looks like a face; therefore the mean score of
the last second decides. People also move. Those who walk change their place; the heads of those who sit or
stand still sway. What does neither is an object, such as a picture on a pack or a poster, and so is what has
not moved for a minute.

The times between frames may be fractions of a second or ten seconds: all rules follow them.
"""

from __future__ import annotations

import math
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS
from inference.detector import ScoreLevels
from inference.sway import Change, Sway

RECENT_US = MICROSECONDS
"""Time constant of the mean score."""
OBJECT_US = 60 * MICROSECONDS
"""Time without movement after which a track is an object."""
MIN_SHIFT = 0.15
"""Share of the face's size by which an edge must shift to count as a change of place, at five frames a
second. With camera noise added, 3 of 1053 photographs of goods seem to shift so far within a minute; 10 shift
by 0.1 and 34 by 0.05."""
CLEAR = 0.6
"""Share of the way from `face` to `sure` that the mean score of a track must reach once. In the clip
one-by-one, at a frame every half second, backs of heads reach 0.18 at most; faces in the other real clips
reach 0.98 or more at five frames a second. `python -m benchmarks.clear_level` measures other shares: from 0
to 0.8 no visit of the clips, of the demo, of people who sit and of posters changes."""
SLOW_US = 3 * MICROSECONDS // 2
"""Spacing of frames from which a single one may be all that a camera sees of a visitor: a face whose score is
`sure` counts at once."""
_SMOOTHING = 0.2
"""Least weight of each new box in the mean position: single boxes jump as far as a slow face moves."""
_SWAYS, _APART_US = 2, 2 * MICROSECONDS // 5
"""Frames in a row that must show a sway; one is enough if the previous one is so long ago."""


def clear_level(levels: ScoreLevels) -> float:
    """The mean score that a track must reach once."""
    return levels.face + CLEAR * (levels.sure - levels.face)


class Doubt(Enum):
    """A reason why a track is not a person's face."""

    OBJECT = auto()
    """It has not moved for a minute."""
    UNMOVED = auto()
    """It never moved."""
    FAINT = auto()
    """Its mean score of the last second is too low."""
    UNCLEAR = auto()
    """Its mean score was never high enough."""


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
        self._sway: Sway | None = None
        self._sways = 0

    def add_detection(
        self, box: NDArray[np.float32], score: float, time_us: int, gray: NDArray[np.uint8]
    ) -> None:
        """Add a detection: box (4,) x, y, w, h in pixels, score 0 to 1, time in microseconds, and its frame.

        The frame is grey, (height, width) uint8.
        """
        edges = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], np.float64)
        if not self._count:
            self._mean_edges, self._anchor = edges, edges
            self._still_since = self._last_seen = time_us
        self._count += 1
        absence = max(time_us - self._last_seen, 0)
        recent = 1 - math.exp(-absence / RECENT_US)
        self.score += max(1 / self._count, recent) * (score - self.score)
        self._best = max(self._best, self.score)
        self._last_seen = time_us
        size = math.sqrt(float(box[2]) * float(box[3]))
        if self._changes_place(edges, size, max(recent, _SMOOTHING)) or self._sways_now(gray, box, absence):
            self._still_since, self._moved = time_us, True

    def is_person(self, levels: ScoreLevels, spacing_us: int = 0) -> bool:
        """Whether the track is a person's face, as of its last detection, with frames `spacing_us` apart."""
        return not self.doubts(levels, spacing_us)

    def doubts(self, levels: ScoreLevels, spacing_us: int = 0) -> tuple[Doubt, ...]:
        """Why the track is not a person's face; none if it is."""
        if self._last_seen - self._still_since > OBJECT_US:
            return (Doubt.OBJECT,)
        if not self._moved and self._count == 1 and spacing_us >= SLOW_US and self.score >= levels.sure:
            return ()
        found = {
            Doubt.UNMOVED: not self._moved,
            Doubt.FAINT: self.score < levels.face,
            Doubt.UNCLEAR: self._best < clear_level(levels),
        }
        return tuple(doubt for doubt, holds in found.items() if holds)

    def lacks_movement_alone(self, levels: ScoreLevels) -> bool:
        """Whether the track would be a person's face if it had moved: its score leaves no doubt."""
        return not self._moved and self.score >= levels.sure

    def _changes_place(self, edges: NDArray[np.float64], size: float, weight: float) -> bool:
        """Whether the mean position has left its anchor; the anchor follows.

        The mean of few boxes is less exact: its standard deviation is that of one box times
        sqrt(weight / (2 - weight)), and the least shift grows with it.
        """
        self._mean_edges = self._mean_edges + weight * (edges - self._mean_edges)
        least = MIN_SHIFT * math.sqrt(weight / (2 - weight) / (_SMOOTHING / (2 - _SMOOTHING)))
        if float(np.abs(self._mean_edges - self._anchor).max()) <= least * size:
            return False
        self._anchor = self._mean_edges
        return True

    def _sways_now(self, gray: NDArray[np.uint8], box: NDArray[np.float32], absence_us: int) -> bool:
        """Whether the face has shifted a little since an earlier frame, in as many frames as it takes."""
        if self._sway is None:
            self._sway = Sway(gray, box)
            return False
        change = self._sway.compare(gray)
        self._sways = self._sways + 1 if change is Change.SHIFTED else 0
        sways = self._sways >= (1 if absence_us >= _APART_US else _SWAYS)
        if sways or change is Change.OTHER:
            self._sway, self._sways = Sway(gray, box), 0
        return sways
