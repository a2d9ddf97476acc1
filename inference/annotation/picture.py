"""Faces drawn onto a picture: what `mien analyze --annotate` writes.

Each face gets a box in the colour of its estimated expression and a label beside it. Labels keep off all
faces and off one another; in a crowd they become smaller, then move away on a line, and where there is no
room at all the box stands alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.annotation.labels import INK, Plate, expression_color
from inference.annotation.plates import place, place_far, place_within
from inference.annotation.shapes import Color, Picture, Rect, line, mix, outline

LEAST_SIDE = 640
"""Annotated pictures are enlarged by a whole factor until their longer side is at least this, in pixels."""

_SMALLEST_TEXT = 13.0
_TEXT = 0.024
"""Height of the text, as a share of the square root of the picture's area."""
_CROWD = (1.0, 0.8)
"""Sizes of labels that are tried in turn."""
_SMALL_FACE = 3.5
"""Heights of text below which a face gets the smaller label at once."""
_HIDDEN_CELLS = 6
"""Cells across a hidden face and its surroundings: four or less across the face itself."""
_HIDDEN_BEYOND = 0.3
"""How far beyond its box a face is hidden, as a share of the box's side."""


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A face in a picture: box x, y, width, height in pixels, detector score, and its estimate."""

    box: tuple[float, float, float, float]
    score: float
    estimate: Estimate


def annotate(picture: NDArray[np.uint8], faces: Sequence[LabelledFace], blur: bool = False) -> Picture:
    """A copy of `picture` with its faces labelled: (height, width, 3) uint8, blue, green, red.

    Takes the same or grey (height, width). A picture smaller than LEAST_SIDE comes back enlarged by
    `enlargement`. `blur` hides the faces: what is left of each is a few cells of mean brightness.
    """
    factor = enlargement(picture)
    canvas = canvas_of(picture, factor)
    boxes = [Rect(*face.box).scaled(factor) for face in faces]
    if blur:
        for box in boxes:
            hide(canvas, box)
    drawn = sorted(zip(boxes, faces, strict=True), key=lambda item: item[0].width, reverse=True)
    sketch = _Sketch(canvas, boxes)
    for box, face in drawn:
        sketch.frame(box, face.estimate)
    for box, face in drawn:
        sketch.label(box, face.estimate)
    return canvas


def enlargement(picture: NDArray[np.uint8]) -> int:
    """The whole factor by which `annotate` enlarges a picture (height, width, ...)."""
    longest: int = max(picture.shape[:2])
    return max(1, math.ceil(LEAST_SIDE / longest))


def canvas_of(picture: NDArray[np.uint8], factor: float) -> Picture:
    """A copy of a grey or coloured picture in three channels, enlarged by `factor`."""
    color = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture.copy()
    if factor != 1:
        color = cv2.resize(color, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(color, np.uint8)


def hide(picture: Picture, box: Rect) -> None:
    """Replace a face, in place, by a soft ellipse of a few cells: what lay beneath cannot be told."""
    height, width = picture.shape[:2]
    beyond_x, beyond_y = _HIDDEN_BEYOND * box.width, _HIDDEN_BEYOND * box.height
    around = Rect(box.x - beyond_x, box.y - beyond_y, box.width + 2 * beyond_x, box.height + 2 * beyond_y)
    left, top = max(math.floor(around.x), 0), max(math.floor(around.y), 0)
    right, bottom = min(math.ceil(around.right), width), min(math.ceil(around.bottom), height)
    if left >= right or top >= bottom:
        return
    part = picture[top:bottom, left:right]
    cells = (min(_HIDDEN_CELLS, right - left), min(_HIDDEN_CELLS, bottom - top))
    coarse = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    blocks = cv2.resize(coarse, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    soft = cv2.GaussianBlur(blocks, (0, 0), max((right - left) / _HIDDEN_CELLS / 4, 0.5))
    x = np.arange(left, right)[None, :] + 0.5 - around.x - around.width / 2
    y = np.arange(top, bottom)[:, None] + 0.5 - around.y - around.height / 2
    from_centre = np.hypot(x / (around.width / 2), y / (around.height / 2)).astype(np.float32)
    mix(picture, np.asarray(soft, np.uint8), ((1 - from_centre) * 12).clip(0, 1), top, left)


class _Sketch:
    """One picture being annotated: what is drawn takes its measures from the picture's size."""

    def __init__(self, canvas: Picture, boxes: Sequence[Rect]) -> None:
        height, width = canvas.shape[:2]
        self._canvas = canvas
        self._text = max(_SMALLEST_TEXT, _TEXT * math.sqrt(width * height))
        self._gap = 0.5 * self._text
        self._bounds = Rect(0, 0, width, height).grown(-self._gap / 2)
        self._taken = list(boxes)

    def frame(self, box: Rect, estimate: Estimate) -> None:
        """The box: a thin line with strong corners, edged darkly against bright grounds."""
        color = expression_color(estimate)
        thickness = max(1.2, self._text / 11)
        radius = min(0.12 * box.width, 0.8 * self._text)
        corners = min(0.24 * box.width, 2.2 * self._text)
        outline(self._canvas, box, radius, 2.6 * thickness, INK, 0.4)
        outline(self._canvas, box, radius, 3.8 * thickness, INK, 0.4, corners)
        outline(self._canvas, box, radius, thickness, color)
        outline(self._canvas, box, radius, 2.4 * thickness, color, 1.0, corners)

    def label(self, box: Rect, estimate: Estimate) -> None:
        """The label beside its box, where there is room for one."""
        sizes = [max(_SMALLEST_TEXT, self._text * share) for share in _CROWD]
        if box.height < _SMALL_FACE * self._text:
            sizes = sizes[1:]
        plates = [Plate(estimate, size, bar=box.height > 7 * size) for size in sizes]
        for plate in plates:
            if room := place(box, plate.size, self._taken, self._bounds, self._gap):
                return self._put(plate, room)
        small = plates[-1]
        if room := place_far(box, small.size, self._taken, self._bounds, self._gap):
            self._lead(box, room, expression_color(estimate))
            self._put(small, room)
        elif small.size[0] < box.width and small.size[1] < 0.4 * box.height:
            self._put(small, place_within(box, small.size, self._bounds, self._gap))
        return None

    def _put(self, plate: Plate, room: Rect) -> None:
        plate.draw(self._canvas, room)
        self._taken.append(room.grown(self._gap / 2))

    def _lead(self, box: Rect, room: Rect, color: Color) -> None:
        """A line from the label to the nearest point of the box."""
        x = min(max(room.x + room.width / 2, box.x), box.right)
        y = min(max(room.y + room.height / 2, box.y), box.bottom)
        start = (min(max(x, room.x), room.right), min(max(y, room.y), room.bottom))
        line(self._canvas, start, (x, y), self._text / 4, INK, 0.5)
        line(self._canvas, start, (x, y), self._text / 10, color)
