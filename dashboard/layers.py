"""The layers that charts are put together from: specifications only, they hold no figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from dashboard import theme
from dashboard.periods import Span
from storage.trends import State

AXIS_HIGH = 26
"""Pixels under the lowest band that the time axis needs."""

_RIGHT = 20

COLOUR = alt.Scale(domain=list(theme.SERIES))
SLOTS, STACK, LABELS, SHARES = (alt.NamedData(name) for name in ("slots", "stack", "labels", "shares"))
"""The tables that layers draw, see `dashboard.rows`."""


@dataclass(frozen=True, slots=True)
class Band:
    """A horizontal part of a chart, in pixels from its top."""

    top: int
    bottom: int

    @property
    def middle(self) -> float:
        """Half-way down."""
        return (self.top + self.bottom) / 2


def specification(
    height: int, *layers: Any, scales: Literal["independent", "shared"] = "independent"
) -> dict[str, Any]:
    """The specification of `layers` over one another, each with a vertical scale of its own unless shared."""
    chart = (
        alt.layer(*layers)
        .resolve_scale(y=scales)
        .configure_legend(disable=True)
        .properties(height=height, padding={"left": 0, "top": 0, "bottom": 0, "right": _RIGHT})
    )
    result: dict[str, Any] = chart.to_dict()
    return result


def slots(span: Span) -> alt.Chart:
    """The slots on the time axis, without a mark."""
    return alt.Chart(SLOTS).encode(x=_time("start", span), x2="end:T")


def _time(column: str, span: Span) -> alt.X:
    return alt.X(
        f"{column}:T",
        title=None,
        scale=alt.Scale(type="utc", nice=False),
        axis=alt.Axis(format=span.axis_format, tickCount=6, grid=False, labelFlush=True, labelOverlap=True),
    )


def ground(base: alt.Chart, band: Band) -> tuple[alt.Chart, alt.Chart]:
    """What is drawn where there are no figures: grey where unobserved, a dotted line where hidden."""
    unobserved = base.mark_rect().encode(
        y=alt.value(band.top),
        y2=alt.value(band.bottom),
        color=colour(theme.BLANK),
        opacity=_only(State.UNOBSERVED, theme.FAINT),
    )
    hidden = base.mark_rule(
        strokeDash=[1, 5], strokeCap="round", strokeWidth=2, xOffset=2, x2Offset=-3
    ).encode(y=alt.value(band.middle), color=colour(theme.QUIET), opacity=_only(State.SUPPRESSED, 1))
    return unobserved, hidden


def _only(state: State, opacity: float) -> Any:
    """Seen in this state alone. Rows are not filtered: a layer without rows would have no time axis."""
    return alt.condition(alt.datum.state == state.value, alt.value(opacity), alt.value(0))


def stack(span: Span, band: Band) -> tuple[alt.Chart, ...]:
    """Shares on top of one another, and their labels beside the last of them."""
    y = alt.Y(
        "low:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1], range=[band.bottom, band.top]),
        axis=axis(values=[0, 0.5, 1], format="%"),
    )
    part = alt.Color("label:N", scale=COLOUR)
    stacks = (
        alt.Chart(STACK)
        .mark_rect(x2Offset=-1)
        .encode(x=_time("start", span), x2="end:T", y=y, y2="high:Q", color=part)
    )
    pixels = alt.Scale(domain=[0, 400], range=[0, 400])
    labels = alt.Chart(LABELS).encode(
        x=_time("at", span), y=alt.Y("y:Q", axis=None, title=None, scale=pixels)
    )
    squares = labels.mark_square(size=70, opacity=1, xOffset=12).encode(color=part)
    names = labels.mark_text(align="left", dx=22, fontSize=12).encode(text="label:N", color=colour(theme.INK))
    return stacks, squares, names


def visits(base: alt.Chart, band: Band) -> alt.Chart:
    """How many visits there were; faint while a slot is not over."""
    layer: alt.Chart = base.mark_rect(x2Offset=-1).encode(
        y=alt.Y(
            "visits:Q",
            title=None,
            scale=alt.Scale(range=[band.bottom, band.top], zero=True),
            axis=axis(tickCount=2, tickMinStep=1, format=",d"),
        ),
        y2=alt.datum(0),
        opacity=alt.Opacity("visits_opacity:Q", scale=None),
        color=colour(theme.QUIET),
    )
    return layer


def strip(base: alt.Chart, band: Band) -> tuple[alt.Chart, alt.Chart]:
    """What was watched: a gap in it explains a gap above it."""
    parts = base.mark_rect(x2Offset=-1).encode(
        y=alt.value(band.top), y2=alt.value(band.bottom), color=alt.Color("strip:N", scale=COLOUR)
    )
    return parts, row_name("watched", band)


def row_name(name: str, band: Band) -> alt.Chart:
    """What a band shows, written to its right."""
    layer: alt.Chart = (
        alt.Chart(alt.InlineData(values=[{"name": name}]))
        .mark_text(align="left", dx=12, fontSize=12)
        .encode(x=alt.value("width"), y=alt.value(band.middle), text="name:N", color=colour(theme.QUIET))
    )
    return layer


def hover(
    base: alt.Chart,
    band: Band,
    span: Span,
    labels: Sequence[str],
    figures: Sequence[alt.Tooltip] = (),
) -> alt.Chart:
    """An invisible layer over each slot that tells all of its figures."""
    layer: alt.Chart = base.mark_rect(opacity=0).encode(
        y=alt.value(band.top),
        y2=alt.value(band.bottom),
        tooltip=[
            alt.Tooltip("start:T", title="from", format=span.slot_format, formatType="utc"),
            alt.Tooltip("end:T", title="to", format=span.slot_format, formatType="utc"),
            alt.Tooltip("state:N", title="figures"),
            alt.Tooltip("visits:Q", title="visits", format=","),
            alt.Tooltip("watched:N", title="watched"),
            *figures,
            *(alt.Tooltip(f"{label}:N") for label in labels),
        ],
    )
    return layer


def colour(series: str) -> Any:
    """The colour of a series, through the scale that all layers of a chart share."""
    return alt.ColorDatum(series)


def axis(grid: bool = False, **options: Any) -> alt.Axis:
    """A vertical axis without lines, as wide as all others, so that time axes above one another agree."""
    return alt.Axis(
        orient="left", ticks=False, domain=False, grid=grid, minExtent=40, maxExtent=40, **options
    )
