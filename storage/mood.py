"""The mood of a visit: pleasant minus unpleasant expressions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mood_of(visit: Mapping[str, Any]) -> float:
    """P(happiness) minus P(anger), P(disgust), P(fear) and P(sadness): -1 to 1."""
    unpleasant = sum(visit[f"p_{name}"] for name in ("anger", "disgust", "fear", "sadness"))
    return float(visit["p_happiness"] - unpleasant)
