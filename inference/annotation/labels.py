"""The label of a face: a dark plate with the estimated expression, the perceived gender, and how sure.

The colours are the dashboard's for dark grounds, which the plate carries onto any picture. Nothing is
told by colour alone.
"""

from __future__ import annotations

from bus.messages import UNKNOWN, Estimate
from inference.annotation.shapes import BOLD, REGULAR, Color, Picture, Rect, fill, text_width, write

EXPRESSION_COLORS = {
    "happiness": Color.of("#CCBB44"),
    "surprise": Color.of("#66CCEE"),
    "neutral": Color.of("#BBBBBB"),
    "sadness": Color.of("#4477AA"),
    "fear": Color.of("#AA3377"),
    "disgust": Color.of("#228833"),
    "anger": Color.of("#EE6677"),
}
GENDER_COLORS = {"female": Color.of("#1B9E9E"), "male": Color.of("#D95F02")}
UNKNOWN_COLOR = Color.of("#8A93A1")
INK, QUIET, WHITE = Color.of("#12161D"), Color.of("#D5D9E0"), Color.of("#FFFFFF")

_PEOPLE = {"female": "woman", "male": "man"}
_SECOND = 0.84
"""Size of the second line, as a share of the first one's."""


def expression_color(estimate: Estimate) -> Color:
    """The colour of the estimated expression, grey where it is unknown."""
    return EXPRESSION_COLORS.get(estimate.expression, UNKNOWN_COLOR)


def gender_color(estimate: Estimate) -> Color:
    """The colour of the perceived gender, grey where it is unknown."""
    return GENDER_COLORS.get(estimate.gender, UNKNOWN_COLOR)


def expression_text(estimate: Estimate) -> str:
    """Such as "happiness 97 %"."""
    if estimate.expression == UNKNOWN:
        return "expression unknown"
    return f"{estimate.expression} {percent(estimate.expressions[estimate.expression])}"


def gender_text(estimate: Estimate) -> str:
    """Such as "perceived woman 88 %"."""
    if estimate.gender == UNKNOWN:
        return "gender unknown"
    sure = estimate.female if estimate.gender == "female" else 1 - estimate.female
    return f"perceived {_PEOPLE.get(estimate.gender, estimate.gender)} {percent(sure)}"


def percent(probability: float) -> str:
    """A whole percentage; never 100, which no model can mean."""
    return f"{min(round(probability * 100), 99)} %"


def mix_bar(picture: Picture, rect: Rect, estimate: Estimate) -> None:
    """All expressions in one bar, each as long as it is probable."""
    fill(picture, rect, rect.height / 2, UNKNOWN_COLOR, 0.35)
    left = rect.x
    for name, color in EXPRESSION_COLORS.items():
        width = rect.width * estimate.expressions.get(name, 0.0)
        fill(picture, Rect(left, rect.y, max(width - 1, 0), rect.height), 1, color)
        left += width


class Plate:
    """A label of one estimate whose first line is `size` pixels high, with the mix bar or without."""

    def __init__(self, estimate: Estimate, size: float, bar: bool) -> None:
        self._estimate = estimate
        self._unit = size
        self._first, self._second = expression_text(estimate), gender_text(estimate)
        if UNKNOWN == estimate.expression == estimate.gender:
            self._first, self._second = UNKNOWN, ""
        self._bar = bar and bool(self._second)
        text = max(
            text_width(self._first, size, BOLD),
            text_width(self._second, size * _SECOND, REGULAR),
        )
        lines = 1.85 if not self._second else 3.65 if self._bar else 3.0
        self.size = (text + 2.05 * size, lines * size)
        """Width and height in pixels."""

    def draw(self, picture: Picture, room: Rect) -> None:
        """Draw the label into `room`, a rectangle of its size."""
        unit = self._unit
        fill(picture, room, 0.5 * unit, INK, 0.86)
        text = room.x + 1.45 * unit
        self._dot(picture, room, 1.3, expression_color(self._estimate))
        write(picture, self._first, text, room.y + 1.3 * unit, unit, WHITE, BOLD)
        if self._second:
            self._dot(picture, room, 2.5, gender_color(self._estimate))
            write(picture, self._second, text, room.y + 2.5 * unit, unit * _SECOND, QUIET, REGULAR)
        if self._bar:
            bar = Rect(room.x + 0.6 * unit, room.y + 2.98 * unit, room.width - 1.2 * unit, 0.32 * unit)
            mix_bar(picture, bar, self._estimate)

    def _dot(self, picture: Picture, room: Rect, baseline: float, color: Color) -> None:
        """The dot before a line of text."""
        side = 0.56 * self._unit
        x, y = room.x + 0.6 * self._unit, room.y + baseline * self._unit - 0.64 * self._unit
        fill(picture, Rect(x, y, side, side), side / 2, color)
