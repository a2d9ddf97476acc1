"""What a track looks like as a whole: what is seen of its faces, pooled."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.classifier import Classes, Head, softmax

FEMALE = "female"
LEAST = 1e-4
"""Probabilities are kept this far from 0 and 1, so that one sure face does not decide for a track."""


def face_weight(crop: NDArray[np.uint8], size: float, score: float) -> float:
    """How much a face tells, above 0: crop (side, side), size in pixels, detector score."""
    # Squared, so that a track's few good moments outweigh its many poor ones: of what `mien train pooling`
    # compared, this comes nearest to the truth, whether people walk up or stand.
    return (score * size * sharpness(crop)) ** 2


def sharpness(crop: NDArray[np.uint8]) -> float:
    """How much detail a crop (side, side) has, above 0: the deviation of its second derivative."""
    return max(float(cv2.Laplacian(crop, cv2.CV_64F).std()), LEAST)


class Pool:
    """Adds up the estimates of one track's faces, each with a weight.

    An estimate is the weighted mean of the logits: of the log-odds, where there are two classes. That lets
    many doubtful faces of one mind add up to a sure track.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._expressions: NDArray[np.float64] = np.zeros(())
        self._genders: NDArray[np.float64] = np.zeros(())

    def __bool__(self) -> bool:
        return self._weight > 0

    def add(self, classes: Classes, row: int, weight: float) -> None:
        """Take row `row` of `classes` with a weight above 0."""
        self._weight += weight
        self._expressions = self._expressions + weight * _logits(classes.expressions[row])
        self._genders = self._genders + weight * _logits(classes.genders[row])

    def estimate(self, expression_head: Head, gender_head: Head) -> Estimate:
        """The pooled probabilities and their labels, "unknown" under the heads' thresholds.

        Raises ValueError where nothing was added.
        """
        if not self:
            raise ValueError("nothing was pooled: add at least one face first")
        expressions = _probabilities(self._expressions / self._weight)
        genders = _probabilities(self._genders / self._weight)
        return Estimate(
            expressions=dict(zip(expression_head.labels, expressions[0].tolist(), strict=True)),
            female=float(genders[0, gender_head.labels.index(FEMALE)]),
            expression=expression_head.tops(expressions)[0],
            gender=gender_head.tops(genders)[0],
        )


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.log(probabilities.astype(np.float64).clip(LEAST, 1 - LEAST)))


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """One row (1, k) of the probabilities of logits (k,)."""
    return softmax(logits[None].astype(np.float32), 1.0)
