"""Face cards: a face crop next to its estimate, as `mien analyze --faces --annotate` writes them.

The face fills the crop, so a label in the picture would hide it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import UNKNOWN, Estimate
from inference.annotation.labels import (
    EXPRESSION_COLORS,
    GENDER_COLORS,
    INK,
    QUIET,
    UNKNOWN_COLOR,
    WHITE,
    expression_text,
    gender_text,
    percent,
)
from inference.annotation.picture import blur_face, make_canvas
from inference.annotation.shapes import BOLD, Color, Picture, Rect, draw_text, fill_rect, measure_text

HEIGHT, PANEL = 480, 400
"""Height of a card and width of its text panel, in pixels."""

_MARGIN = 32
_MAX_ASPECT = 3.0
"""Largest ratio of width to height at which the crop is shown."""
_BAR_BACKGROUND = Color.from_code("#2A313D")


def draw_face_card(crop: NDArray[np.uint8], estimate: Estimate, blur: bool = False) -> Picture:
    """A card (HEIGHT, ..., 3) uint8, BGR, of a crop, grey (height, width) or coloured, with its estimate.

    `blur` hides the face.
    """
    height, width = crop.shape[:2]
    shown = make_canvas(crop, 1)
    across = round(min(max(HEIGHT * width / height, 1), HEIGHT * _MAX_ASPECT))
    smaller = across * HEIGHT < width * height
    shown = np.asarray(
        cv2.resize(shown, (across, HEIGHT), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC),
        np.uint8,
    )
    if blur:
        blur_face(shown, Rect(0, 0, across, HEIGHT))
    canvas = np.empty((HEIGHT, across + PANEL, 3), np.uint8)
    canvas[:, :across] = shown
    canvas[:, across:] = INK
    _draw_panel(canvas, across + _MARGIN, estimate)
    return canvas


def _draw_panel(canvas: Picture, left: float, estimate: Estimate) -> None:
    inner = PANEL - 2 * _MARGIN
    draw_text(canvas, "Estimated expression", left, 46, 15, QUIET)
    draw_text(canvas, _capitalise(expression_text(estimate)), left, 80, 27, WHITE, BOLD)
    baseline = 120.0
    for name, probability in estimate.expressions.items():
        is_top = name == estimate.expression
        color = EXPRESSION_COLORS.get(name, UNKNOWN_COLOR)
        _draw_row(canvas, left, baseline, inner, name, probability, color, is_top)
        baseline += 28
    draw_text(canvas, "Perceived gender (model estimate)", left, 352, 15, QUIET)
    draw_text(
        canvas, _capitalise(gender_text(estimate).removeprefix("perceived ")), left, 386, 27, WHITE, BOLD
    )
    baseline = 420.0
    female = estimate.female
    for name, probability in () if female is None else (("woman", female), ("man", 1 - female)):
        gender = "female" if name == "woman" else "male"
        _draw_row(
            canvas, left, baseline, inner, name, probability, GENDER_COLORS[gender], gender == estimate.gender
        )
        baseline += 28


def _draw_row(
    canvas: Picture,
    left: float,
    baseline: float,
    width: float,
    name: str,
    probability: float,
    color: Color,
    is_top: bool,
) -> None:
    """Draw name, bar and percentage of one class."""
    weight = BOLD if is_top else 400
    draw_text(canvas, name, left, baseline, 16, WHITE if is_top else QUIET, weight)
    bar = Rect(left + 100, baseline - 10, width - 156, 10)
    fill_rect(canvas, bar, 5, _BAR_BACKGROUND)
    fill_rect(canvas, bar._replace(width=max(bar.width * probability, bar.height)), 5, color)
    text = percent(probability)
    draw_text(
        canvas,
        text,
        left + width - measure_text(text, 16, weight),
        baseline,
        16,
        WHITE if is_top else QUIET,
        weight,
    )


def _capitalise(text: str) -> str:
    return text.replace(f"expression {UNKNOWN}", UNKNOWN).replace(f"gender {UNKNOWN}", UNKNOWN).capitalize()
