"""Style of the charts of this package; their colours are in `common.palette`."""

from __future__ import annotations

from typing import Literal

from matplotlib.axes import Axes


def simplify_axes(axis: Axes, grid: Literal["x", "y"] = "y") -> None:
    """Remove the upper and right border, and draw faint grid lines along one axis."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis=grid, alpha=0.3)
