"""Where labels go when what they name lies close together."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], gap: float, least: float, most: float) -> list[float]:
    """Positions as near to the ascending `wanted` as can be, at least `gap` apart, in [least, most].

    Where they do not fit, the gap shrinks to what is left.
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
