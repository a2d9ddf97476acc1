"""The mood of a visit: the probability of happiness minus those of unpleasant expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNPLEASANT = ("anger", "disgust", "fear", "sadness")


def mood_of(visit: Mapping[str, Any]) -> Any:
    """P(happiness) minus P(anger), P(disgust), P(fear) and P(sadness), -1 to 1; of numbers or columns."""
    return visit["p_happiness"] - sum(visit[f"p_{name}"] for name in UNPLEASANT)
