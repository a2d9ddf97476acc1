"""Tiles: one figure of a period each, with its course and its change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import streamlit as st

from dashboard import formats
from storage.figures.change import Change
from storage.figures.groups import Figures, State
from storage.figures.timeline import Timeline, Unit
from storage.figures.trend import Trend
from storage.intervals import Interval

_NAMES = {
    Unit.MINUTE: "minutes",
    Unit.FIVE_MINUTES: "slots",
    Unit.HOUR: "hours",
    Unit.DAY: "days",
    Unit.WEEK: "days",
}
"""What is counted where slots are hidden."""


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
    """The values of the full slots that are over, without what is hidden, in part too, or not observed."""
    full = (slot for slot in trend.slots if not (slot.running or slot.days or slot.hidden_days))
    values = (get(slot.figures) for slot in full)
    return [round(float(value), 4) for value in values if value is not None]


def visits_detail(trend: Trend, timeline: Timeline, change: Change | None) -> str:
    """What belongs to the number of visits: the hidden slots, else the change against an earlier period."""
    if trend.hidden:
        by_day = timeline.unit in {Unit.DAY, Unit.WEEK}
        slots = timeline.refined(Unit.DAY) if by_day else timeline
        begun = sum(start <= timeline.now for start in slots.edges[:-1])
        return f"{trend.hidden} of {begun} {_NAMES[timeline.unit]} hidden"
    if trend.whole.state is not State.SHOWN or change is None or not change.before:
        return "faces, not people"
    if not change.alike:
        return "no change: watched times differ"
    return change_in_percent(change, trend.whole.visits)


def change_in_percent(change: Change, shown: int | None) -> str:
    """The change of visits: "+12 % (from 340)", or "(from 340 to 381)" where another number is `shown`."""
    now = "" if change.visits == shown else f" to {formats.count(change.visits)}"
    percent = formats.signed(100 * (change.visits - change.before) / change.before)
    return f"{percent} % (from {formats.count(change.before)}{now})"


def change_in_points(now: Interval, before: Interval | None) -> str:
    """The change of a share, as an addition to a text: ", +2 points"; otherwise " of visits"."""
    if before is None:
        return " of visits"
    return f", {formats.signed(100 * (now.value - before.value))} points"
