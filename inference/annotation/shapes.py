"""Anti-aliased shapes and text on a picture, in place; the few that annotated pictures need.

Pictures are (height, width, 3) uint8, colours blue, green, red from 0 to 255, rectangles x, y, width,
height in pixels, which may be fractions and may reach outside the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.floating]

REGULAR, BOLD = 400, 600
"""Font weights."""


class Color(NamedTuple):
    """Blue, green, red, 0 to 255."""

    blue: int
    green: int
    red: int

    @classmethod
    def of(cls, code: str) -> Color:
        """The colour of a code like "#1B9E9E"."""
        red, green, blue = bytes.fromhex(code.removeprefix("#"))
        return cls(blue, green, red)


class Rect(NamedTuple):
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The first x to the right of it."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The first y below it."""
        return self.y + self.height

    def scaled(self, factor: float) -> Rect:
        """The same place in a picture enlarged by `factor`."""
        return Rect(*(value * factor for value in self))

    def grown(self, by: float) -> Rect:
        """Larger by `by` pixels on every side."""
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def overlap(self, other: Rect) -> float:
        """Area in common."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(width, 0.0) * max(height, 0.0)


def fill(picture: Picture, rect: Rect, radius: float, color: Color, alpha: float = 1.0) -> None:
    """Fill a rectangle with rounded corners."""
    _paint(picture, rect, color, alpha, lambda x, y: 0.5 - _distance(x, y, rect, radius))


def outline(
    picture: Picture,
    rect: Rect,
    radius: float,
    thickness: float,
    color: Color,
    alpha: float = 1.0,
    corners: float | None = None,
) -> None:
    """Draw a rounded rectangle's line; with `corners` only so many pixels of it from every corner."""

    def cover(x: Mask, y: Mask) -> Mask:
        line = 0.5 + thickness / 2 - np.abs(_distance(x, y, rect, radius))
        if corners is None:
            return line
        from_side = np.minimum(np.abs(x - rect.x), np.abs(rect.right - x))
        from_top = np.minimum(np.abs(y - rect.y), np.abs(rect.bottom - y))
        return np.asarray(np.minimum(line, 0.5 + corners - np.maximum(from_side, from_top)))

    _paint(picture, rect.grown(thickness + 1), color, alpha, cover)


def line(
    picture: Picture,
    start: tuple[float, float],
    end: tuple[float, float],
    thickness: float,
    color: Color,
    alpha: float = 1.0,
) -> None:
    """Draw a straight line with round ends."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    square = max(dx * dx + dy * dy, 1e-6)

    def cover(x: Mask, y: Mask) -> Mask:
        along = ((x - x0) * dx + (y - y0) * dy) / square
        along = along.clip(0, 1)
        away = np.hypot(x - x0 - along * dx, y - y0 - along * dy)
        return np.asarray(0.5 + thickness / 2 - away)

    bounds = Rect(min(x0, x1), min(y0, y1), abs(dx), abs(dy))
    _paint(picture, bounds.grown(thickness + 1), color, alpha, cover)


def write(
    picture: Picture,
    text: str,
    left: float,
    baseline: float,
    size: float,
    color: Color,
    weight: int = REGULAR,
) -> None:
    """Write `text`, `size` pixels high, in OpenCV's own sans-serif typeface (Rubik)."""
    place = (round(left), round(baseline))
    cv2.putText(picture, text, place, color, cv2.FontFace("sans"), round(size), weight)


def text_width(text: str, size: float, weight: int = REGULAR) -> float:
    """Width in pixels of what `write` writes."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), round(size), weight)
    return float(width)


def mix(picture: Picture, other: NDArray[np.uint8] | Color, mask: Mask, top: int, left: int) -> None:
    """Lay `other`, (h, w, 3) or a colour, over `picture` from `top`, `left`, as opaque as `mask` (h, w)."""
    height, width = mask.shape
    part = picture[top : top + height, left : left + width]
    opaque = mask[..., None]
    part[:] = (part * (1 - opaque) + np.asarray(other) * opaque).round().astype(np.uint8)


def _paint(
    picture: Picture, bounds: Rect, color: Color, alpha: float, cover: Callable[[Mask, Mask], Mask]
) -> None:
    """Paint where `cover`, given the pixels' centres x (1, w) and y (h, 1), says how much of each."""
    height, width = picture.shape[:2]
    left, top = max(math.floor(bounds.x), 0), max(math.floor(bounds.y), 0)
    right, bottom = min(math.ceil(bounds.right), width), min(math.ceil(bounds.bottom), height)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32)[None, :] + 0.5
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    mix(picture, color, cover(x, y).clip(0, 1) * alpha, top, left)


def _distance(x: Mask, y: Mask, rect: Rect, radius: float) -> Mask:
    """Signed distance in pixels to a rounded rectangle's edge, negative inside (Quilez, "2D distance
    functions")."""
    half_width, half_height = rect.width / 2, rect.height / 2
    radius = min(radius, half_width, half_height)
    across = np.abs(x - rect.x - half_width) - half_width + radius
    down = np.abs(y - rect.y - half_height) - half_height + radius
    outside = np.hypot(across.clip(0), down.clip(0))
    return np.asarray(outside + np.minimum(np.maximum(across, down), 0) - radius)
