"""Annotated pictures, as `mien analyze --annotate` writes them.

Each face gets a box in the colour of its estimated expression and a label next to it. Labels overlap no face
and no other label: if there is little space they become smaller, then move away and get a line to their
face; without any space a face has no label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.annotation.label_placement import place_at_distance, place_inside, place_next_to
from inference.annotation.labels import INK, FaceLabel, expression_color
from inference.annotation.shapes import Color, Picture, Rect, blend, draw_line, draw_outline

MIN_SIDE = 640
"""Annotated pictures are enlarged by an integer factor until their longer side has this many pixels."""

_SMALLEST_TEXT = 13.0
_TEXT = 0.024
"""Height of the text, as a share of the square root of the picture's area."""
_LABEL_SIZES = (1.0, 0.8)
"""Sizes of labels that are tried in this order."""
_SMALL_FACE = 3.5
"""A face with a height below this many text heights gets the smaller label."""
BLUR_FROM = 0.12
"""Score from which everything that is detected is blurred. It is far below that of any face that is counted;
on the real clips half of that score blurs walls and clothes, and the heads of people seen from behind."""
_BLUR_CELLS = 6
"""Cells across the blurred area: at most four of them across the face itself."""
_BLUR_MARGIN = 0.3
"""Margin around the box that is blurred too, as a share of the box's side."""


NOTHING = np.zeros((0, 4), np.float32)
"""No boxes."""


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """A face in a picture: box x, y, width, height in pixels, detector score, and its estimate."""

    box: tuple[float, float, float, float]
    score: float
    estimate: Estimate


def annotate_picture(
    picture: NDArray[np.uint8],
    faces: Sequence[LabelledFace],
    blur: bool = False,
    faint: NDArray[np.float32] = NOTHING,
) -> Picture:
    """A copy of `picture` with labelled faces: (height, width, 3) uint8, blue, green, red.

    `picture` has the same form or is grey (height, width). A picture smaller than MIN_SIDE is enlarged by
    `enlargement_factor`. `blur` hides the faces: only a few cells of mean brightness remain of each,
    and of each further box in `faint`, (n, 4) in pixels of the picture.
    """
    factor = enlargement_factor(picture)
    canvas = make_canvas(picture, factor)
    boxes = [Rect(*face.box).scaled(factor) for face in faces]
    if blur:
        for box in (*boxes, *(Rect(*each).scaled(factor) for each in faint.tolist())):
            blur_face(canvas, box)
    largest_first = sorted(zip(boxes, faces, strict=True), key=lambda item: item[0].width, reverse=True)
    drawing = _AnnotatedPicture(canvas, boxes)
    for box, face in largest_first:
        drawing.draw_box(box, face.estimate)
    for box, face in largest_first:
        drawing.draw_label(box, face.estimate)
    return canvas


def enlargement_factor(picture: NDArray[np.uint8]) -> int:
    """The integer factor by which `annotate_picture` enlarges a picture (height, width, ...)."""
    longest: int = max(picture.shape[:2])
    return max(1, math.ceil(MIN_SIDE / longest))


def make_canvas(picture: NDArray[np.uint8], factor: float) -> Picture:
    """A copy of a grey or coloured picture in three channels, enlarged by `factor`."""
    color = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if picture.ndim == 2 else picture.copy()
    if factor != 1:
        color = cv2.resize(color, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(color, np.uint8)


def blur_face(picture: Picture, box: Rect) -> None:
    """Replace a face, in place, by a soft ellipse of a few cells, from which it cannot be reconstructed."""
    height, width = picture.shape[:2]
    margin_x, margin_y = _BLUR_MARGIN * box.width, _BLUR_MARGIN * box.height
    area = Rect(box.x - margin_x, box.y - margin_y, box.width + 2 * margin_x, box.height + 2 * margin_y)
    left, top = max(math.floor(area.x), 0), max(math.floor(area.y), 0)
    right, bottom = min(math.ceil(area.right), width), min(math.ceil(area.bottom), height)
    if left >= right or top >= bottom:
        return
    part = picture[top:bottom, left:right]
    cells = (min(_BLUR_CELLS, right - left), min(_BLUR_CELLS, bottom - top))
    coarse = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    blocks = cv2.resize(coarse, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)
    soft = cv2.GaussianBlur(blocks, (0, 0), max((right - left) / _BLUR_CELLS / 4, 0.5))
    x = np.arange(left, right)[None, :] + 0.5 - area.x - area.width / 2
    y = np.arange(top, bottom)[:, None] + 0.5 - area.y - area.height / 2
    from_centre = np.hypot(x / (area.width / 2), y / (area.height / 2)).astype(np.float32)
    blend(picture, np.asarray(soft, np.uint8), ((1 - from_centre) * 12).clip(0, 1), top, left)


class _AnnotatedPicture:
    """One picture that is being annotated; text and lines are scaled to its size."""

    def __init__(self, canvas: Picture, boxes: Sequence[Rect]) -> None:
        height, width = canvas.shape[:2]
        self._canvas = canvas
        self._text = max(_SMALLEST_TEXT, _TEXT * math.sqrt(width * height))
        self._gap = 0.5 * self._text
        self._bounds = Rect(0, 0, width, height).grown(-self._gap / 2)
        self._occupied = list(boxes)

    def draw_box(self, box: Rect, estimate: Estimate) -> None:
        """Draw a thin box with strong corners and a dark edge for bright backgrounds."""
        color = expression_color(estimate)
        thickness = max(1.2, self._text / 11)
        radius = min(0.12 * box.width, 0.8 * self._text)
        corners = min(0.24 * box.width, 2.2 * self._text)
        draw_outline(self._canvas, box, radius, 2.6 * thickness, INK, 0.4)
        draw_outline(self._canvas, box, radius, 3.8 * thickness, INK, 0.4, corners)
        draw_outline(self._canvas, box, radius, thickness, color)
        draw_outline(self._canvas, box, radius, 2.4 * thickness, color, 1.0, corners)

    def draw_label(self, box: Rect, estimate: Estimate) -> None:
        """Draw the label near its box if there is space for it."""
        sizes = [max(_SMALLEST_TEXT, self._text * share) for share in _LABEL_SIZES]
        if box.height < _SMALL_FACE * self._text:
            sizes = sizes[1:]
        labels = [FaceLabel(estimate, size, bar=box.height > 7 * size) for size in sizes]
        for label in labels:
            if area := place_next_to(box, label.size, self._occupied, self._bounds, self._gap):
                return self._draw_at(area, label)
        small = labels[-1]
        if area := place_at_distance(box, small.size, self._occupied, self._bounds, self._gap):
            self._draw_leader_line(box, area, expression_color(estimate))
            self._draw_at(area, small)
        elif small.size[0] < box.width and small.size[1] < 0.4 * box.height:
            self._draw_at(place_inside(box, small.size, self._bounds, self._gap), small)
        return None

    def _draw_at(self, area: Rect, label: FaceLabel) -> None:
        label.draw(self._canvas, area)
        self._occupied.append(area.grown(self._gap / 2))

    def _draw_leader_line(self, box: Rect, area: Rect, color: Color) -> None:
        """Draw a line from the label to the nearest point of the box."""
        x = min(max(area.x + area.width / 2, box.x), box.right)
        y = min(max(area.y + area.height / 2, box.y), box.bottom)
        start = (min(max(x, area.x), area.right), min(max(y, area.y), area.bottom))
        draw_line(self._canvas, start, (x, y), self._text / 4, INK, 0.5)
        draw_line(self._canvas, start, (x, y), self._text / 10, color)
