"""Risk-coverage curves: how often labels are wrong among the most confident faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POINTS = 50


@dataclass(frozen=True)
class RiskCoverage:
    """A risk-coverage curve (El-Yaniv and Wiener 2010), all 0..1.

    `risk[i]` is the share of wrong labels among the most confident share `coverage[i]` of faces; `aurc` is
    the area under the curve (Geifman et al. 2019, doi:10.48550/arXiv.1805.08206), lower is better.
    """

    coverage: list[float]
    risk: list[float]
    aurc: float


def risk_coverage(confidence: NDArray[np.floating], right: NDArray[np.floating]) -> RiskCoverage:
    """The curve for confidence (n,) and the share to which each label is right (n,) 0..1, n > 0.

    The curve has 50 points, the area uses all n. Faces of equal confidence each count as their mean, so that
    their order does not matter.
    """
    n = len(confidence)
    _, level, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(level, 1.0 - right) / sizes
    risks = np.cumsum(np.repeat(wrong, sizes)) / np.arange(1, n + 1)
    points = np.unique(-(-np.arange(1, POINTS + 1) * n // POINTS))
    return RiskCoverage(
        coverage=(points / n).round(4).tolist(),
        risk=risks[points - 1].round(4).tolist(),
        aurc=round(float(risks.mean()), 4),
    )
