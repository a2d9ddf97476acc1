"""Positions of labels whose targets are close together."""

from __future__ import annotations

from collections.abc import Sequence


def place_labels(wanted: Sequence[float], gap: float, least: float, most: float) -> list[float]:
    """Positions within [least, most] and at least `gap` apart, close to the ascending ones that are `wanted`.

    Where they do not fit, the gap is reduced.
    """
    if not wanted:
        return []
    gap = min(gap, (most - least) / max(len(wanted) - 1, 1))
    placed: list[float] = []
    for position in wanted:
        placed.append(max(position, placed[-1] + gap if placed else least))
    ceiling = most
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed
