"""Label placement: near the face, within the picture, over no face and no other label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inference.annotation.shapes import Rect

_DISTANCES = (1.0, 2.0, 3.0, 4.5, 6.0)
"""Distances that are tried if there is no space next to the face, in label heights."""


def place_next_to(
    face: Rect, size: tuple[float, float], occupied: Sequence[Rect], bounds: Rect, gap: float
) -> Rect | None:
    """A rectangle for a label of `size` (width, height) next to `face`, or None if there is no space.

    The label is within `bounds`, `gap` pixels from the face, and overlaps nothing in `occupied`.
    """
    return _first_free(_candidates(face, size, gap, bounds), occupied, bounds)


def place_at_distance(
    face: Rect, size: tuple[float, float], occupied: Sequence[Rect], bounds: Rect, gap: float
) -> Rect | None:
    """As `place_next_to`, but at a growing distance: such a label needs a line to its face."""
    candidates = (
        candidate
        for distance in _DISTANCES
        for candidate in _candidates(face, size, gap + distance * size[1], bounds)
    )
    return _first_free(candidates, occupied, bounds)


def place_inside(face: Rect, size: tuple[float, float], bounds: Rect, gap: float) -> Rect:
    """A rectangle at the bottom of the visible part of a face, for faces without space around them."""
    width, height = size
    x = face.x + (face.width - width) / 2
    y = min(face.bottom, bounds.bottom) - gap - height
    return Rect(_clamp(x, bounds.x, bounds.right - width), max(y, bounds.y), width, height)


def _first_free(candidates: Iterable[Rect], occupied: Sequence[Rect], bounds: Rect) -> Rect | None:
    for candidate in candidates:
        inside = (
            candidate.x >= bounds.x
            and candidate.y >= bounds.y
            and candidate.right <= bounds.right
            and candidate.bottom <= bounds.bottom
        )
        if inside and not any(candidate.overlap(rect) for rect in occupied):
            return candidate
    return None


def _candidates(face: Rect, size: tuple[float, float], gap: float, bounds: Rect) -> Iterator[Rect]:
    """Rectangles around a face, the best first: above, below, right, left; shifted to stay in bounds."""
    width, height = size
    columns = (face.x, face.x + (face.width - width) / 2, face.right - width)
    rows = (face.y, face.y + (face.height - height) / 2, face.bottom - height)
    for y in (face.y - gap - height, face.bottom + gap):
        for x in columns:
            yield Rect(_clamp(x, bounds.x, bounds.right - width), y, width, height)
    for x in (face.right + gap, face.x - gap - width):
        for y in rows:
            yield Rect(x, _clamp(y, bounds.y, bounds.bottom - height), width, height)


def _clamp(value: float, low: float, high: float) -> float:
    return max(min(value, high), low)
