"""Face labels: estimated expression, perceived gender and their probabilities on a dark rectangle.

The colours are those of the dashboard's dark theme, so the label brings its own dark background. No
information is given by colour alone.
"""

from __future__ import annotations

from bus.messages import OFF, UNKNOWN, Estimate
from common import palette
from inference.annotation.shapes import (
    BOLD,
    REGULAR,
    Color,
    Picture,
    Rect,
    draw_text,
    fill_rect,
    measure_text,
)

_EXPRESSIONS = ("happiness", "surprise", "neutral", "sadness", "fear", "disgust", "anger")
EXPRESSION_COLORS = {name: Color.from_code(palette.DARK[name]) for name in _EXPRESSIONS}
GENDER_COLORS = {name: Color.from_code(palette.DARK[name]) for name in ("female", "male")}
UNKNOWN_COLOR = Color.from_code("#8A93A1")
INK, QUIET, WHITE = Color.from_code("#12161D"), Color.from_code("#D5D9E0"), Color.from_code("#FFFFFF")

_GENDER_WORDS = {"female": "woman", "male": "man"}
_SECOND = 0.84
"""Size of the second line, as a share of the first line's."""


def expression_color(estimate: Estimate) -> Color:
    """The colour of the estimated expression, grey where it is unknown."""
    return EXPRESSION_COLORS.get(estimate.expression, UNKNOWN_COLOR)


def gender_color(estimate: Estimate) -> Color:
    """The colour of the perceived gender, grey where it is unknown."""
    return GENDER_COLORS.get(estimate.gender, UNKNOWN_COLOR)


def expression_text(estimate: Estimate) -> str:
    """A text such as "happiness 97 %"."""
    if estimate.expression in (UNKNOWN, OFF):
        return f"expression {estimate.expression}"
    return f"{estimate.expression} {percent(estimate.expressions[estimate.expression])}"


def gender_text(estimate: Estimate) -> str:
    """A text such as "perceived woman 88 %"."""
    if estimate.female is None or estimate.gender == UNKNOWN:
        return f"gender {estimate.gender}"
    probability = estimate.female if estimate.gender == "female" else 1 - estimate.female
    return f"perceived {_GENDER_WORDS.get(estimate.gender, estimate.gender)} {percent(probability)}"


def percent(probability: float) -> str:
    """A whole percentage, at most 99: no model is certain."""
    return f"{min(round(probability * 100), 99)} %"


def draw_probability_bar(picture: Picture, rect: Rect, estimate: Estimate) -> None:
    """Draw one bar in which the length of each expression is its probability."""
    fill_rect(picture, rect, rect.height / 2, UNKNOWN_COLOR, 0.35)
    left = rect.x
    for name, color in EXPRESSION_COLORS.items():
        width = rect.width * estimate.expressions.get(name, 0.0)
        fill_rect(picture, Rect(left, rect.y, max(width - 1, 0), rect.height), 1, color)
        left += width


class FaceLabel:
    """The label of one estimate; its first line is `size` pixels high, `bar` adds the probability bar."""

    def __init__(self, estimate: Estimate, size: float, bar: bool) -> None:
        self._estimate = estimate
        self._unit = size
        self._first, self._second = expression_text(estimate), gender_text(estimate)
        if UNKNOWN == estimate.expression == estimate.gender:
            self._first, self._second = UNKNOWN, ""
        self._bar = bar and bool(self._second)
        text = max(
            measure_text(self._first, size, BOLD),
            measure_text(self._second, size * _SECOND, REGULAR),
        )
        lines = 1.85 if not self._second else 3.65 if self._bar else 3.0
        self.size = (text + 2.05 * size, lines * size)
        """Width and height in pixels."""

    def draw(self, picture: Picture, area: Rect) -> None:
        """Draw the label into `area`, a rectangle of its size."""
        unit = self._unit
        fill_rect(picture, area, 0.5 * unit, INK, 0.86)
        text = area.x + 1.45 * unit
        self._dot(picture, area, 1.3, expression_color(self._estimate))
        draw_text(picture, self._first, text, area.y + 1.3 * unit, unit, WHITE, BOLD)
        if self._second:
            self._dot(picture, area, 2.5, gender_color(self._estimate))
            draw_text(picture, self._second, text, area.y + 2.5 * unit, unit * _SECOND, QUIET, REGULAR)
        if self._bar:
            bar = Rect(area.x + 0.6 * unit, area.y + 2.98 * unit, area.width - 1.2 * unit, 0.32 * unit)
            draw_probability_bar(picture, bar, self._estimate)

    def _dot(self, picture: Picture, area: Rect, baseline: float, color: Color) -> None:
        """Draw the dot in front of a line of text."""
        side = 0.56 * self._unit
        x, y = area.x + 0.6 * self._unit, area.y + baseline * self._unit - 0.64 * self._unit
        fill_rect(picture, Rect(x, y, side, side), side / 2, color)
