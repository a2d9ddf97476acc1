"""What the pictures of this package have in common: their colours, and how bare their axes are."""

from __future__ import annotations

from typing import Literal

from matplotlib.axes import Axes

INK, CALM, STEEL, STRONG = "#333333", "#8aa1b1", "#5b7486", "#c2410c"


def bare(axis: Axes, grid: Literal["x", "y"] = "y") -> None:
    """Take away the frame above and to the right, and draw faint lines along one axis."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis=grid, alpha=0.3)
