"""The first moments of a camera, in case they are all of it: a recording that is too short to show movement.

A face that does not move is a poster (`inference.evidence`), but somebody who is filmed for a second, or who
is in a few photographs that are alike, had no time to move. As long as a camera is that young, faces that
only lack movement are kept in memory. If the camera ends meanwhile, they are a visit; if it continues, they
are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS

OPENING_US = 3 * MICROSECONDS // 2
"""Time from the first frame within which people need not have moved. It is short, so that a poster is no
visit of a camera that is restarted."""


@dataclass(frozen=True, slots=True)
class KeptFace:
    """A face that lacks movement alone: crop (side, side) uint8, box (4,) in pixels, score, time in UTC."""

    crop: NDArray[np.uint8]
    box: NDArray[np.float32]
    score: float
    time_us: int


class Opening:
    """The kept faces of one camera, by track number."""

    def __init__(self) -> None:
        self._began: int | None = None
        self._faces: dict[int, list[KeptFace]] = {}

    def includes(self, time_us: int) -> bool:
        """Whether a frame belongs to the opening; the first frame begins it, a later one ends it."""
        if self._began is None:
            self._began = time_us
        included = 0 <= time_us - self._began <= OPENING_US
        if not included:
            self._faces.clear()
            self._began = time_us - OPENING_US - 1
        return included

    def keep(self, track: int, face: KeptFace) -> None:
        """Keep a face of a track."""
        self._faces.setdefault(track, []).append(face)

    def take(self, track: int) -> list[KeptFace]:
        """The kept faces of a track, which are forgotten; none if the opening is over."""
        return self._faces.pop(track, [])
