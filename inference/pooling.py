"""What a track looks like as a whole: the class probabilities of its faces, pooled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.classifier import Classes, Head

FEMALE = "female"
_LEAST = 1e-4
"""Probabilities are kept this far from 0 and 1, so that one sure face does not decide for a track."""


class Pool:
    """Adds up the estimates of one track's faces, each with a weight.

    Expressions are the weighted mean of the probabilities; gender is the weighted mean of the log-odds,
    which lets many doubtful faces of one mind add up to a sure track.
    """

    def __init__(self) -> None:
        self._weight = 0.0
        self._expressions: NDArray[np.float64] | None = None
        self._log_odds = 0.0

    def __bool__(self) -> bool:
        return self._weight > 0

    def add(self, classes: Classes, row: int, weight: float) -> None:
        """Take row `row` of `classes` with a weight above 0."""
        weighted = weight * classes.expressions[row].astype(np.float64)
        self._expressions = weighted if self._expressions is None else self._expressions + weighted
        female = float(classes.genders[row, classes.gender_labels.index(FEMALE)])
        female = min(max(female, _LEAST), 1 - _LEAST)
        self._log_odds += weight * float(np.log(female / (1 - female)))
        self._weight += weight

    def estimate(self, expression_head: Head, gender_head: Head) -> Estimate:
        """The pooled probabilities and their labels, "unknown" under the heads' thresholds.

        Raises ValueError where nothing was added.
        """
        if self._expressions is None:
            raise ValueError("nothing was pooled: add at least one face first")
        expressions = (self._expressions / self._weight).astype(np.float32)
        female = 1 / (1 + float(np.exp(-self._log_odds / self._weight)))
        sides = [female if label == FEMALE else 1 - female for label in gender_head.labels]
        return Estimate(
            expressions=dict(zip(expression_head.labels, expressions.tolist(), strict=True)),
            female=female,
            expression=expression_head.tops(expressions[None])[0],
            gender=gender_head.tops(np.array([sides], np.float32))[0],
        )
