"""Pooling of the class probabilities of a track's faces into one estimate."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import OFF, Estimate, Switches
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
        self._empty = True
        self._expressions = _HeadSum()
        self._genders = _HeadSum()

    def __bool__(self) -> bool:
        return not self._empty

    def add(self, classes: Classes, row: int, weight: float) -> None:
        """Add row `row` of `classes` with a weight above 0; an estimate that was not made adds nothing."""
        self._empty = False
        self._expressions.add(classes.expressions[row], weight)
        self._genders.add(classes.genders[row], weight)

    def drop(self, switches: Switches) -> None:
        """Drop the estimates of what is off in `switches`, as if they had not been made."""
        if not switches.expression:
            self._expressions = _HeadSum()
        if not switches.gender:
            self._genders = _HeadSum()

    def estimate(self, expression_head: ClassifierHead, gender_head: ClassifierHead) -> Estimate:
        """The pooled probabilities and their labels, "unknown" below the heads' thresholds.

        What was not estimated has no probabilities, and the label "off". Raises ValueError if no face was
        added.
        """
        if not self:
            raise ValueError("the pool is empty: add at least one face first")
        expressions, genders = self._expressions.mean(), self._genders.mean()
        return Estimate(
            expressions={}
            if expressions is None
            else dict(zip(expression_head.labels, expressions[0].tolist(), strict=True)),
            female=None if genders is None else float(genders[0, gender_head.labels.index(FEMALE)]),
            expression=OFF if expressions is None else expression_head.top_labels(expressions)[0],
            gender=OFF if genders is None else gender_head.top_labels(genders)[0],
        )


class _HeadSum:
    """Weighted sum of the logits of one head."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._logits: NDArray[np.float64] = np.zeros(())

    def add(self, probabilities: NDArray[np.float32], weight: float) -> None:
        """Add probabilities (k,), or none (0,)."""
        if len(probabilities):
            self._weight += weight
            self._logits = self._logits + weight * _logits(probabilities)

    def mean(self) -> NDArray[np.float32] | None:
        """Probabilities (1, k), None without any."""
        return _probabilities(self._logits / self._weight) if self._weight else None


def _logits(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.log(probabilities.astype(np.float64).clip(LEAST, 1 - LEAST)))


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probabilities (1, k) of logits (k,)."""
    return softmax(logits[None].astype(np.float32), 1.0)
