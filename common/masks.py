"""Exclusion masks: regions of a camera's picture that are blanked at capture, as polygons.

Points are fractions of the picture, from (0, 0) at the top left to (1, 1) at the bottom right, so that masks
do not depend on its size. As text, masks are a JSON list of lists of points.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

Point = tuple[float, float]
Polygon = tuple[Point, ...]
Masks = tuple[Polygon, ...]

MOST_MASKS = 16
MOST_POINTS = 32
"""Points of one mask; the fewest are 3."""

MOST_POINTS_TOGETHER = 100
"""Points of all masks of a camera, so that no column of the database has room for a picture."""

_LEAST_POINTS = 3
_DIGITS = 4
_LEAST_AREA = 1e-5
"""Of the picture: less is a slip of the pointer."""


class MaskError(ValueError):
    """A mask is not one; the message names it and what to write instead."""


def make_masks(regions: Iterable[Sequence[Any]]) -> Masks:
    """The masks of some regions: each is a rectangle, [x, y, width, height], or a list of 3 to 32 points.

    Raises MaskError for more than 16 regions or 100 points, for points outside of the picture, and for a
    polygon without an area or whose sides cross, since it would be unclear what is inside.
    """
    if not isinstance(regions, Iterable) or isinstance(regions, str | dict):
        raise MaskError("masks: expected a list of rectangles [x, y, width, height] or lists of points")
    polygons = tuple(_polygon(number, region) for number, region in enumerate(regions, 1))
    if len(polygons) > MOST_MASKS:
        raise MaskError(f"{len(polygons)} masks: the most are {MOST_MASKS}; join neighbouring ones")
    if (points := sum(map(len, polygons))) > MOST_POINTS_TOGETHER:
        raise MaskError(
            f"masks: together they have {points} points, the most are {MOST_POINTS_TOGETHER}; use rectangles"
        )
    return polygons


def parse_masks(text: str) -> Masks:
    """The masks that a text describes, none for an empty one; raises MaskError."""
    if not text.strip():
        return ()
    try:
        regions = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MaskError("masks: expected JSON such as [[0.1, 0.2, 0.3, 0.4]]") from error
    return make_masks(regions)


def format_masks(masks: Masks) -> str:
    """The masks as text; empty without any."""
    return json.dumps(masks, separators=(",", ":")) if masks else ""


def covered_share(masks: Masks) -> float:
    """The sum of the areas of the masks, as a share of the picture; at most 1."""
    return min(sum(abs(_area(each)) for each in masks), 1.0)


def _polygon(number: int, region: Any) -> Polygon:
    if not isinstance(region, Sequence) or isinstance(region, str):
        raise MaskError(f"mask {number}: expected [x, y, width, height] or a list of points")
    if len(region) == 4 and not any(isinstance(each, Sequence) for each in region):
        x, y, width, height = (_number(number, each) for each in region)
        region = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    points = tuple(dict.fromkeys(_point(number, point) for point in region))
    if not _LEAST_POINTS <= len(points) <= MOST_POINTS:
        raise MaskError(
            f"mask {number}: {len(points)} different points, expected {_LEAST_POINTS} to {MOST_POINTS}"
        )
    if abs(_area(points)) < _LEAST_AREA:
        raise MaskError(f"mask {number}: it has no area; choose points that are further apart")
    if _crosses_itself(points):
        raise MaskError(f"mask {number}: its sides cross; give its points in their order along the edge")
    return points


def _point(number: int, point: Any) -> Point:
    if not isinstance(point, Sequence) or isinstance(point, str) or len(point) != 2:
        raise MaskError(f"mask {number}: a point is [x, y], two numbers from 0 to 1")
    x, y = (round(_number(number, each), _DIGITS) for each in point)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise MaskError(f"mask {number}: the point {x:g}, {y:g} is outside of the picture: use 0 to 1")
    return x, y


def _number(number: int, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise MaskError(f"mask {number}: expected numbers from 0 to 1, fractions of the picture")
    return float(value)


def _area(points: Polygon) -> float:
    """The signed area (shoelace formula)."""
    pairs = zip(points, (*points[1:], points[0]), strict=True)
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs) / 2


def _crosses_itself(points: Polygon) -> bool:
    """Whether two sides that are no neighbours touch."""
    sides = list(zip(points, (*points[1:], points[0]), strict=True))
    last = len(sides) - 1
    return any(
        _meet(sides[one], sides[other])
        for one in range(len(sides))
        for other in range(one + 2, len(sides))
        if (one, other) != (0, last)
    )


def _meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two line segments have a common point."""
    (a, b), (c, d) = one, other
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((one, c, turns[0]), (one, d, turns[1]), (other, a, turns[2]), (other, b, turns[3]))
    return any(turn == 0 and _is_between(side, point) for side, point, turn in ends)


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive where a, b, c turn one way, negative the other way, 0 on one line."""
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 0.0 if abs(turn) < 1e-12 else turn


def _is_between(side: tuple[Point, Point], point: Point) -> bool:
    """Whether a point on the line of a side lies within its ends."""
    (ax, ay), (bx, by) = side
    return min(ax, bx) <= point[0] <= max(ax, bx) and min(ay, by) <= point[1] <= max(ay, by)
