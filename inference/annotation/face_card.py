"""A face crop beside its estimate: what `mien analyze --faces --annotate` writes.

A crop is all face, so that a label upon it would hide what it speaks of.
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
from inference.annotation.picture import canvas_of, hide
from inference.annotation.shapes import BOLD, Color, Picture, Rect, fill, text_width, write

HEIGHT, PANEL = 480, 400
"""Height of a card and width of its panel, in pixels."""

_MARGIN = 32
_MOST_STRETCH = 3.0
"""A picture is shown at most so many times as wide as high."""
_TRACK = Color.of("#2A313D")


def card(crop: NDArray[np.uint8], estimate: Estimate, blur: bool = False) -> Picture:
    """A crop, grey (height, width) or coloured, with its estimate: (HEIGHT, ..., 3) uint8, BGR."""
    height, width = crop.shape[:2]
    shown = canvas_of(crop, 1)
    across = round(min(max(HEIGHT * width / height, 1), HEIGHT * _MOST_STRETCH))
    smaller = across * HEIGHT < width * height
    shown = np.asarray(
        cv2.resize(shown, (across, HEIGHT), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC),
        np.uint8,
    )
    if blur:
        hide(shown, Rect(0, 0, across, HEIGHT))
    canvas = np.empty((HEIGHT, across + PANEL, 3), np.uint8)
    canvas[:, :across] = shown
    canvas[:, across:] = INK
    _panel(canvas, across + _MARGIN, estimate)
    return canvas


def _panel(canvas: Picture, left: float, estimate: Estimate) -> None:
    inner = PANEL - 2 * _MARGIN
    write(canvas, "Estimated expression", left, 46, 15, QUIET)
    write(canvas, _upper(expression_text(estimate)), left, 80, 27, WHITE, BOLD)
    baseline = 120.0
    for name, probability in estimate.expressions.items():
        strong = name == estimate.expression
        color = EXPRESSION_COLORS.get(name, UNKNOWN_COLOR)
        _row(canvas, left, baseline, inner, name, probability, color, strong)
        baseline += 28
    write(canvas, "Perceived gender (model estimate)", left, 352, 15, QUIET)
    write(canvas, _upper(gender_text(estimate).removeprefix("perceived ")), left, 386, 27, WHITE, BOLD)
    baseline = 420.0
    for name, probability in (("woman", estimate.female), ("man", 1 - estimate.female)):
        gender = "female" if name == "woman" else "male"
        _row(
            canvas, left, baseline, inner, name, probability, GENDER_COLORS[gender], gender == estimate.gender
        )
        baseline += 28


def _row(
    canvas: Picture,
    left: float,
    baseline: float,
    width: float,
    name: str,
    probability: float,
    color: Color,
    strong: bool,
) -> None:
    """Name, bar and percentage of one class."""
    weight = BOLD if strong else 400
    write(canvas, name, left, baseline, 16, WHITE if strong else QUIET, weight)
    bar = Rect(left + 100, baseline - 10, width - 156, 10)
    fill(canvas, bar, 5, _TRACK)
    fill(canvas, bar._replace(width=max(bar.width * probability, bar.height)), 5, color)
    text = percent(probability)
    write(
        canvas,
        text,
        left + width - text_width(text, 16, weight),
        baseline,
        16,
        WHITE if strong else QUIET,
        weight,
    )


def _upper(text: str) -> str:
    return text.replace(f"expression {UNKNOWN}", UNKNOWN).replace(f"gender {UNKNOWN}", UNKNOWN).capitalize()
