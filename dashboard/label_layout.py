"""Positions of labels whose targets are close together or overlap."""

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


def assign_lanes(spans: Sequence[tuple[int, int]], most: int) -> list[int]:
    """A lane for each span (start, end), ascending by start, so that spans of a lane do not overlap.

    Lanes are numbered from 0. Where more than `most` spans overlap, they share the lane that ends first.
    """
    ends: list[int] = []
    lanes = []
    for start, end in spans:
        free = [lane for lane, last in enumerate(ends) if last <= start]
        if free or len(ends) == most:
            lane = free[0] if free else ends.index(min(ends))
            ends[lane] = max(ends[lane], end)
        else:
            lane = len(ends)
            ends.append(end)
        lanes.append(lane)
    return lanes
