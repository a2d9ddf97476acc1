"""Tiles: one figure of a period each, with its course and its change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard import formats
from storage.figures.groups import Figures
from storage.figures.trend import Trend
from storage.intervals import Interval


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure with its label, a detail in small print, its definition, and its values over time.

    `value` None means that there is no figure.
    """

    label: str
    value: str | None
    detail: str
    help_text: str
    course: Sequence[float] = field(default=())


def show_tiles(tiles: Sequence[Tile]) -> None:
    """Draw tiles side by side; they wrap where the page is narrow."""
    with st.container(horizontal=True, key="tiles"):
        for tile in tiles:
            st.metric(
                tile.label,
                tile.value if tile.value is not None else formats.NO_VALUE,
                delta=tile.detail or None,
                delta_color="off",
                delta_arrow="off",
                help=tile.help_text,
                border=True,
                height="stretch",
                chart_data=list(tile.course) if len(tile.course) > 1 else None,
                chart_type="line",
            )


def sparkline(trend: Trend, get: Callable[[Figures], float | None]) -> list[float]:
    """The values of the slots that are over, without those that are hidden or not observed."""
    values = (get(slot.figures) for slot in trend.slots if not slot.running)
    return [round(float(value), 4) for value in values if value is not None]


def change_in_percent(now: int | None, before: int | None) -> str:
    """The change of a number: "+12 % (from 340)"; empty where one is unknown or the earlier one is 0."""
    if now is None or not before:
        return ""
    return f"{formats.signed(100 * (now - before) / before)} % (from {formats.count(before)})"


def change_in_points(now: Interval, before: Interval | None) -> str:
    """The change of a share, as an addition to a text: ", +2 points"; otherwise " of visits"."""
    if before is None:
        return " of visits"
    return f", {formats.signed(100 * (now.value - before.value))} points"
