"""How wrong labels are among the faces that a model is surest of, for every share of faces kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS = 50


@dataclass(frozen=True)
class RiskCoverage:
    """A risk-coverage curve (El-Yaniv and Wiener 2010), all 0..1.

    `risk[i]` is how wrong the labels of the surest share `coverage[i]` of faces are; `aurc` is the area
    under the whole curve (Geifman et al. 2019, doi:10.48550/arXiv.1805.08206), the lower the better.
    """

    coverage: list[float]
    risk: list[float]
    aurc: float


def risk_coverage(confidence: NDArray[np.floating], right: NDArray[np.floating]) -> RiskCoverage:
    """The curve of confidence (n,) and of how far each label is right (n,) 0..1, n > 0.

    The curve is kept at 50 points, the area is of all n. Faces of equal confidence cannot be told apart:
    each counts as their mean, so that their order does not matter.
    """
    n = len(confidence)
    _, level, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(level, 1.0 - right) / sizes
    risks = np.cumsum(np.repeat(wrong, sizes)) / np.arange(1, n + 1)
    kept = np.unique(-(-np.arange(1, POINTS + 1) * n // POINTS))
    return RiskCoverage(
        coverage=(kept / n).round(4).tolist(),
        risk=risks[kept - 1].round(4).tolist(),
        aurc=round(float(risks.mean()), 4),
    )
