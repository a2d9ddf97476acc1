"""Pooling of the class probabilities of a track's faces into one estimate."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.classifier import Classes, ClassifierHead, softmax

FEMALE = "female"
LEAST = 1e-4
"""Probabilities are clipped to this distance from 0 and 1, so that one certain face does not decide for a
track."""


def face_weight(crop: NDArray[np.uint8], size: float, score: float) -> float:
    """The weight of a face, above 0: crop (side, side), size in pixels, detector score."""
    # Squared, so that a track's few good frames outweigh its many poor ones: of the weights that
    # `mien train pooling` compares, this one has the lowest error, for people who walk and who stand.
    return (score * size * sharpness(crop)) ** 2


def sharpness(crop: NDArray[np.uint8]) -> float:
    """How much detail a crop (side, side) has, above 0: the standard deviation of its Laplacian."""
    return max(float(cv2.Laplacian(crop, cv2.CV_64F).std()), LEAST)


class Pool:
    """Weighted mean of the estimates of one track's faces.

    The mean is taken of the logits. For two classes these are the log-odds, and the mean is at most as
    certain as the most certain face: many uncertain faces do not add up to a certain track.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._expressions: NDArray[np.float64] = np.zeros(())
        self._genders: NDArray[np.float64] = np.zeros(())

    def __bool__(self) -> bool:
        return self._weight > 0

    def add(self, classes: Classes, row: int, weight: float) -> None:
        """Add row `row` of `classes` with a weight above 0."""
        self._weight += weight
        self._expressions = self._expressions + weight * _logits(classes.expressions[row])
        self._genders = self._genders + weight * _logits(classes.genders[row])

    def estimate(self, expression_head: ClassifierHead, gender_head: ClassifierHead) -> Estimate:
        """The pooled probabilities and their labels, "unknown" below the heads' thresholds.

        Raises ValueError if no face was added.
        """
        if not self:
            raise ValueError("the pool is empty: add at least one face first")
        expressions = _probabilities(self._expressions / self._weight)
        genders = _probabilities(self._genders / self._weight)
        return Estimate(
            expressions=dict(zip(expression_head.labels, expressions[0].tolist(), strict=True)),
            female=float(genders[0, gender_head.labels.index(FEMALE)]),
            expression=expression_head.top_labels(expressions)[0],
            gender=gender_head.top_labels(genders)[0],
        )


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.log(probabilities.astype(np.float64).clip(LEAST, 1 - LEAST)))


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probabilities (1, k) of logits (k,)."""
    return softmax(logits[None].astype(np.float32), 1.0)
