"""Colours: `.streamlit/config.toml` holds them, this module says which one belongs to what.

Charts name a series and leave the colour to the viewer's theme, so that switching between light and
dark recolours them in the browser. Markup gets both colours and lets the browser choose.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parent / ".streamlit" / "config.toml"
STYLE = Path(__file__).parent / "assets" / "style.css"

EXPRESSIONS = ("happiness", "surprise", "neutral", "sadness", "fear", "disgust", "anger", "unknown")
"""The order in which expressions are stacked and listed, from glad to angry."""

ACCENT, BLANK, CAUTION, INK, QUIET = "accent", "not observed", "caution", "ink", "quiet"

SERIES = (*EXPRESSIONS, "female", "male", ACCENT, BLANK, CAUTION, INK, QUIET)
"""What the colours in `theme.*.chartCategoricalColors` stand for, in their order."""

FAINT = 0.45
"""Opacity of what is not to be leaned upon."""


@cache
def palette(scheme: str) -> dict[str, str]:
    """The colour of every series, `#RRGGBB`, in the scheme "light" or "dark"."""
    return dict(zip(SERIES, _config()[scheme]["chartCategoricalColors"], strict=True))


def css(series: str) -> str:
    """The CSS colour of a series, as `stylesheet` defines it."""
    return f"var(--mien-{series.replace(' ', '-')})"


def stylesheet() -> str:
    """The style of our own markup, its colours in both schemes: the browser picks the viewer's."""
    light, dark = palette("light"), palette("dark")
    pairs = {series: (light[series], dark[series]) for series in SERIES}
    pairs["border"] = (_config()["light"]["borderColor"], _config()["dark"]["borderColor"])
    colours = [f"{css(name)[4:-1]}: light-dark({one}, {other});" for name, (one, other) in pairs.items()]
    return f":root {{ {' '.join(colours)} }}\n{STYLE.read_text()}"


@cache
def _config() -> dict[str, Any]:
    theme: dict[str, Any] = tomllib.loads(CONFIG.read_text())["theme"]
    return theme
