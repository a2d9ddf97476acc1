"""Colours: `.streamlit/config.toml` holds them, this module says which one belongs to what.

Charts name a series and leave the colour to the viewer's theme, so that switching between light and
dark recolours them in the browser. Markup gets both colours and lets the browser choose.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

CONFIG = Path(__file__).parent / ".streamlit" / "config.toml"

EXPRESSIONS = ("happiness", "surprise", "neutral", "sadness", "fear", "disgust", "anger", "unknown")
"""The order in which expressions are stacked and listed, from glad to angry."""

GENDERS = ("female", "male", "unknown")

ACCENT, BLANK, CAUTION, INK, QUIET = "accent", "not observed", "caution", "ink", "quiet"

SERIES = (*EXPRESSIONS, "female", "male", ACCENT, BLANK, CAUTION, INK, QUIET)
"""What the colours in `theme.*.chartCategoricalColors` stand for, in their order."""


@cache
def palette(scheme: str) -> dict[str, str]:
    """The colour of every series, `#RRGGBB`, in the scheme "light" or "dark"."""
    theme = tomllib.loads(CONFIG.read_text())["theme"][scheme]
    return dict(zip(SERIES, theme["chartCategoricalColors"], strict=True))


def css(series: str) -> str:
    """The CSS colour of a series: the browser picks the one of the viewer's theme."""
    return f"light-dark({palette('light')[series]}, {palette('dark')[series]})"
