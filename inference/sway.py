"""Sway: the small natural movement by which a still person differs from a picture of one.

People who sit or stand still move their heads by some millimetres all the time. A poster does not, whatever
the camera's noise. The place of the face in an earlier frame is compared with the same place now: a shift by
a fraction of a pixel, a gain and an offset are fitted by least squares (the step of Lucas and Kanade 1981),
so that a change of light is no shift, and the residual says how exact the shift is.
"""

from __future__ import annotations

import math
from enum import Enum, auto

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_PIXELS = 0.3
"""Shift in pixels from which a face sways. With noise of 1 to 6 grey levels, JPEG quality 50 to 85 and
changing light, 99.7 % of still faces seem to shift by less than 0.21 pixels, 0.7 % of their size and 16
errors; heads that sway by 2 % of their size shift by 1.1 pixels and 66 errors in half of the frames."""
MIN_SHARE = 0.008
"""The same as a share of the face's size: large faces are smooth."""
MIN_ERRORS = 20.0
"""The same in standard errors of the shift, as they are for independent pixels; blurred ones are not."""
MIN_EXPLAINED = 0.5
"""Share of the variance that the fit must explain; where something else came into view it explains less."""

_SIDE = 32
_MARGIN = 1.2
"""The compared square is larger than the face by this factor."""
_BLUR = 1.5
"""Standard deviation in pixels of the square: the fit is linear, so that edges must be wider than a shift."""


class Change(Enum):
    """What became of the place of a face."""

    NONE = auto()
    SHIFTED = auto()
    OTHER = auto()
    """It shows something else."""


class Sway:
    """The place of one face in an earlier frame.

    Args:
        gray: the frame, (height, width) uint8.
        box: x, y, width, height of the face in pixels.
    """

    def __init__(self, gray: NDArray[np.uint8], box: NDArray[np.float32]) -> None:
        self._size = math.sqrt(float(box[2]) * float(box[3]))
        self._centre = float(box[0] + box[2] / 2), float(box[1] + box[3] / 2)
        patch = self._cut(gray)
        down, right = np.gradient(patch)
        parts = np.stack([right, down, patch, np.ones_like(patch)], axis=2).reshape(-1, 4)
        self._parts = parts.astype(np.float64) * _WEIGHTS[:, None]
        self._fit = np.linalg.pinv(self._parts)

    def compare(self, gray: NDArray[np.uint8]) -> Change:
        """How a later frame differs at that place."""
        now = self._cut(gray).reshape(-1) * _WEIGHTS
        right, down, gain, _ = shape = self._fit @ now
        residual = float(np.mean((now - self._parts @ shape) ** 2))
        weighted_mean = float(now.sum() / _WEIGHTS.sum())
        variance = float(np.mean((now - weighted_mean * _WEIGHTS) ** 2))
        if gain <= 0 or residual > (1 - MIN_EXPLAINED) * variance:
            return Change.OTHER
        pixels = self._size * _MARGIN / _SIDE / gain
        shift = math.hypot(right, down) * pixels
        error = math.sqrt(residual * float(np.sum(self._fit[:2] ** 2))) * pixels
        least = max(MIN_PIXELS, MIN_SHARE * self._size, MIN_ERRORS * error)
        return Change.SHIFTED if shift >= least else Change.NONE

    def _cut(self, gray: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The square around the face, (_SIDE, _SIDE) float32, blurred."""
        side = max(round(self._size * _MARGIN), 1)
        square = cv2.getRectSubPix(gray, (side, side), self._centre)
        how = cv2.INTER_AREA if side > _SIDE else cv2.INTER_LINEAR
        patch = cv2.resize(square, (_SIDE, _SIDE), interpolation=how).astype(np.float32)
        return np.asarray(cv2.GaussianBlur(patch, (0, 0), _BLUR), np.float32)


def _make_weights() -> NDArray[np.float64]:
    """(_SIDE * _SIDE,) 0 to 1: the middle counts most, the corners show no face."""
    window = np.hanning(_SIDE + 2)[1:-1]
    return np.sqrt(np.outer(window, window)).reshape(-1)


_WEIGHTS = _make_weights()
