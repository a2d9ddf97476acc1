"""The colours of the dashboard: `common.palette` defines them, Streamlit reads `.streamlit/config.toml`.

Charts refer to a colour by the name of its series, and the viewer's theme supplies it: the browser recolours
them when the viewer changes between light and dark. Our own markup contains both colours, and the browser
chooses one.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from common import palette

CONFIG = Path(__file__).parent / ".streamlit" / "config.toml"
STYLE = Path(__file__).parent / "assets" / "style.css"

EXPRESSIONS = ("happiness", "surprise", "neutral", "sadness", "fear", "disgust", "anger", "unknown")
"""The order in which expressions are stacked and listed, from pleasant to unpleasant."""

ACCENT, BLANK, CAUTION, INK, QUIET = "accent", "not observed", "caution", "ink", "quiet"

SERIES = tuple(palette.LIGHT)
"""The names of the colours in `theme.*.chartCategoricalColors`, in their order."""

FAINT = 0.45
"""Opacity of marks whose figures are incomplete or uncertain."""


def css_colour(series: str) -> str:
    """The CSS colour of a series, as `stylesheet` defines it."""
    return f"var({_variable(series)})"


def stylesheet() -> str:
    """The style of our own markup, with the colours of both schemes."""
    pairs = {series: (palette.LIGHT[series], palette.DARK[series]) for series in SERIES}
    pairs["border"] = (_config()["light"]["borderColor"], _config()["dark"]["borderColor"])
    colours = [f"{_variable(name)}: light-dark({light}, {dark});" for name, (light, dark) in pairs.items()]
    return f":root {{ {' '.join(colours)} }}\n{STYLE.read_text()}"


def _variable(series: str) -> str:
    return f"--mien-{series.replace(' ', '-')}"


@cache
def _config() -> dict[str, Any]:
    theme: dict[str, Any] = tomllib.loads(CONFIG.read_text())["theme"]
    return theme
