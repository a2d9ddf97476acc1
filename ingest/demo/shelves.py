"""Shelves and the goods on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ingest.demo.drawing import Canvas, Place, Span

BOARDS = (0.12, 0.52, 0.92, 1.32, 1.72, 2.12)
"""Heights of the boards of a shelf, in metres; the last one is its top."""

_LIP = (-0.035, 0.012)
"""Lower and upper end of a board's front edge, relative to its height."""
_EDGE, _TAG, _BACK = 214, 245, 60
_GOODS = (62.0, 84.0, 108.0, 132.0, 156.0, 182.0, 206.0)

Paint = Callable[[Sequence[tuple[float, float]], float, float], None]
"""Fills a polygon of a shelf's front, in metres along it and up, with a tone and an opacity."""


@dataclass(frozen=True)
class _Item:
    """A box or a bottle: its position along the shelf, its width and height."""

    start: float
    width: float
    height: float
    tone: float
    is_bottle: bool


def shelf_along(canvas: Canvas, x: float, z: Span, rng: np.random.Generator) -> None:
    """Draw a shelf at the side of an aisle, its goods turned to the aisle."""

    def paint(outline: Sequence[tuple[float, float]], tone: float, opacity: float) -> None:
        canvas.fill([(x, up, along) for along, up in outline], tone, opacity)

    canvas.sideways(x, (0, BOARDS[-1]), z, _BACK)
    for low, high in pairwise(BOARDS):
        for item in _row(z, high - low, rng)[::-1]:
            _draw(paint, item, low)
    for board in BOARDS:
        canvas.sideways(x, (board + _LIP[0], board + _LIP[1]), z, _EDGE)
        for start in np.arange(*z, 0.45)[::-1].tolist():
            canvas.sideways(x, (board - 0.03, board + 0.006), (start + 0.1, start + 0.19), _TAG)


def shelf_across(
    canvas: Canvas, x: Span, z: float, boards: Sequence[float], rng: np.random.Generator
) -> None:
    """Draw a shelf that faces the camera."""

    def paint(outline: Sequence[tuple[float, float]], tone: float, opacity: float) -> None:
        places: list[Place] = [(along, up, z) for along, up in outline]
        canvas.fill(places, tone, opacity)

    (left, right), top = x, boards[-1]
    canvas.upright(x, (0, top), z, _BACK)
    for low, high in pairwise(boards):
        for item in _row((left + 0.04, right - 0.04), high - low, rng):
            _draw(paint, item, low)
        canvas.upright(x, (high - 0.14, high), z, 30, 0.35, 1.5)
    for board in boards:
        canvas.upright(x, (board + _LIP[0], board + _LIP[1]), z, _EDGE)
    for side in x:
        canvas.upright((side - 0.03, side + 0.03), (0, top + 0.04), z, 150)


def _row(span: Span, room: float, rng: np.random.Generator) -> list[_Item]:
    """Goods of a row `room` metres high, several of each kind next to each other."""
    items: list[_Item] = []
    at, end = span
    while at < end - 0.05:
        width, height = float(rng.uniform(0.08, 0.2)), room * float(rng.uniform(0.55, 0.86))
        tone, is_bottle = float(rng.choice(_GOODS) + rng.uniform(-8, 8)), bool(rng.random() < 0.35)
        for _ in range(int(rng.integers(2, 5))):
            if at + width <= end:
                items.append(_Item(at, 0.6 * width if is_bottle else width, height, tone, is_bottle))
                at += width * (0.66 if is_bottle else 1.05)
        at += float(rng.uniform(0.01, 0.06))
    return items


def _draw(paint: Paint, item: _Item, board: float) -> None:
    def part(x: Span, y: Span, tone: float, opacity: float = 1.0) -> None:
        """A rectangle in shares of the item's width and height."""
        (x0, x1), (y0, y1) = ((start + size * a, start + size * b) for start, size, (a, b) in sides(x, y))
        paint([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], tone, opacity)

    def sides(x: Span, y: Span) -> tuple[tuple[float, float, Span], tuple[float, float, Span]]:
        return (item.start, item.width, x), (board, item.height, y)

    if item.is_bottle:
        part((0, 1), (0.03, 0.66), 0.8 * item.tone)
        part((0.2, 0.8), (0.62, 0.72), 0.8 * item.tone)
        part((0.34, 0.66), (0.7, 1), 0.8 * item.tone)
        part((0, 1), (0.2, 0.48), 225)
    else:
        part((0, 1), (0.03, 1), item.tone)
        part((0.88, 1), (0.03, 1), 0.8 * item.tone, 0.7)
        part((0, 1), (0.55, 0.75), 235 if item.tone < 140 else 60, 0.75)
