"""Where labels go: near their face, within bounds, on no face and on no other label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inference.annotation.shapes import Rect

_FAR = (1.0, 2.0, 3.0, 4.5, 6.0)
"""Distances at which room is sought when there is none beside the face, in label heights."""


def place(
    face: Rect, size: tuple[float, float], taken: Sequence[Rect], bounds: Rect, gap: float
) -> Rect | None:
    """Room for a label of `size` (width, height) right beside `face`, or None where there is none.

    The label lies within `bounds`, `gap` pixels from the face, and off everything in `taken`.
    """
    return _first_free(_beside(face, size, gap, bounds), taken, bounds)


def place_far(
    face: Rect, size: tuple[float, float], taken: Sequence[Rect], bounds: Rect, gap: float
) -> Rect | None:
    """Like `place`, further and further away: such a label needs a line to its face."""
    rings = (spot for ring in _FAR for spot in _beside(face, size, gap + ring * size[1], bounds))
    return _first_free(rings, taken, bounds)


def place_within(face: Rect, size: tuple[float, float], bounds: Rect, gap: float) -> Rect:
    """The lower end of the face's visible part, for faces that leave no room beside them."""
    width, height = size
    x = face.x + (face.width - width) / 2
    y = min(face.bottom, bounds.bottom) - gap - height
    return Rect(_clamped(x, bounds.x, bounds.right - width), max(y, bounds.y), width, height)


def _first_free(spots: Iterable[Rect], taken: Sequence[Rect], bounds: Rect) -> Rect | None:
    for spot in spots:
        inside = (
            spot.x >= bounds.x
            and spot.y >= bounds.y
            and spot.right <= bounds.right
            and spot.bottom <= bounds.bottom
        )
        if inside and not any(spot.overlap(rect) for rect in taken):
            return spot
    return None


def _beside(face: Rect, size: tuple[float, float], gap: float, bounds: Rect) -> Iterator[Rect]:
    """Spots around a face, the best first: above, below, right, left; moved along to stay in bounds."""
    width, height = size
    columns = (face.x, face.x + (face.width - width) / 2, face.right - width)
    rows = (face.y, face.y + (face.height - height) / 2, face.bottom - height)
    for y in (face.y - gap - height, face.bottom + gap):
        for x in columns:
            yield Rect(_clamped(x, bounds.x, bounds.right - width), y, width, height)
    for x in (face.right + gap, face.x - gap - width):
        for y in rows:
            yield Rect(x, _clamped(y, bounds.y, bounds.bottom - height), width, height)


def _clamped(value: float, low: float, high: float) -> float:
    return max(min(value, high), low)
