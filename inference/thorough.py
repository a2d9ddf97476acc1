"""Thorough detection: the picture as a whole and in overlapping tiles at full resolution, for small faces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from inference.detector import Detector, Faces, suppress_overlaps

TILE = 640
"""Longest side of a tile in pixels of the picture: what the detector takes without reducing it."""
OVERLAP = 160
"""Pixels by which tiles overlap. A tile keeps the faces whose centre is at least half of that inside its
inner edges, so that a face of up to this size is whole in each tile that keeps it. Larger faces are found in
the picture as a whole, too."""


class ThoroughDetector:
    """Finds the faces that a detector finds in the whole picture and in its tiles.

    Args:
        detector: whose longest side is at least `TILE`.
    """

    def __init__(self, detector: Detector) -> None:
        self.levels = detector.levels
        self._detector = detector

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        """As `Detector.detect`; a picture that is no larger than a tile is examined once."""
        parts = [self._detector.detect(gray, lowest)]
        if max(gray.shape) > TILE:
            parts += [self._detect_in_tile(gray, top, left, lowest) for top, left in _corners(*gray.shape)]
        boxes = np.concatenate([part.boxes for part in parts])
        scores = np.concatenate([part.scores for part in parts])
        order = np.argsort(-scores, kind="stable")
        best = order[suppress_overlaps(boxes[order], self._detector.overlap)]
        height, width = gray.shape
        return Faces(boxes[best], scores[best], self._detector.scale(min(height, TILE), min(width, TILE)))

    def _detect_in_tile(self, gray: NDArray[np.uint8], top: int, left: int, lowest: float | None) -> Faces:
        """The faces of a tile, in pixels of the picture, without those that its inner edges may cut."""
        tile = np.ascontiguousarray(gray[top : top + TILE, left : left + TILE])
        faces = self._detector.detect(tile, lowest)
        boxes = faces.boxes + np.array([left, top, 0, 0], np.float32)
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        margin, sides = OVERLAP / 2, gray.shape[::-1]
        kept = np.ones(len(boxes), bool)
        for axis, begin in enumerate((left, top)):
            if begin > 0:
                kept &= centres[:, axis] >= begin + margin
            if begin + TILE < sides[axis]:
                kept &= centres[:, axis] < begin + TILE - margin
        return Faces(boxes[kept], faces.scores[kept])


def _corners(height: int, width: int) -> Iterator[tuple[int, int]]:
    """Top and left of each tile."""
    for top in _starts(height):
        for left in _starts(width):
            yield top, left


def _starts(length: int) -> list[int]:
    """Starts of tiles that cover a side; the last one ends with it."""
    if length <= TILE:
        return [0]
    count = -(-(length - OVERLAP) // (TILE - OVERLAP))
    return [int(start) for start in np.linspace(0, length - TILE, count)]
