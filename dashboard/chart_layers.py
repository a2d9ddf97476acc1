"""The layers of charts, as Vega-Lite specifications without figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from dashboard import theme
from dashboard.scales import Scale
from storage.figures.groups import State

AXIS_HEIGHT = 26
"""Pixels of the time axis below the lowest band."""

RIGHT_PADDING = 20
"""Pixels to the right of a chart, beyond its labels."""

COLOUR = alt.Scale(domain=list(theme.SERIES))
LABEL_COLOUR = alt.ExprRef(f"scale('color', '{theme.QUIET}')")
"""The colour of axis labels: those of Streamlit have a contrast of less than 4.5:1 on a light ground."""

SLOTS, STACK, LABELS, SHARES, EVENTS = (
    alt.NamedData(name) for name in ("slots", "stack", "labels", "shares", "events")
)
"""The tables that layers draw, see `dashboard.chart_tables`."""


@dataclass(frozen=True, slots=True)
class Band:
    """A horizontal part of a chart, in pixels from its top."""

    top: int
    bottom: int

    @property
    def middle(self) -> float:
        """The pixel in the middle."""
        return (self.top + self.bottom) / 2


def specification(
    height: int,
    *layers: Any,
    scales: Literal["independent", "shared"] = "independent",
    right: int = RIGHT_PADDING,
) -> dict[str, Any]:
    """The specification of a chart of `layers`; the vertical scale of each is independent unless shared.

    `right` is the space for labels on the right, in pixels.
    """
    # Altair copies and validates layers that it puts together again and again, which takes twice as long.
    parts = [layer.to_dict(validate=False) for layer in layers]
    shared = [{name: part.pop(name, {}) for name in ("$schema", "config", "datasets")} for part in parts]
    return {
        "$schema": shared[0]["$schema"],
        "config": {**shared[0]["config"], "legend": {"disable": True}},
        "layer": parts,
        "resolve": {"scale": {"y": scales}},
        "height": height,
        "padding": {"left": 0, "top": 0, "bottom": 0, "right": right},
        "datasets": {name: rows for each in shared for name, rows in each["datasets"].items()},
    }


def with_colour(specification: Any, series: str, other: str) -> Any:
    """The specification with the colour of another series in place of that of `series`."""
    if isinstance(specification, dict):
        if specification == {"datum": series}:
            return {"datum": other}
        return {name: with_colour(part, series, other) for name, part in specification.items()}
    if isinstance(specification, list):
        return [with_colour(part, series, other) for part in specification]
    return specification


def slot_base(scale: Scale) -> alt.Chart:
    """The slots on the time axis, without a mark: the base of other layers."""
    return alt.Chart(SLOTS).encode(x=time_axis("start", scale), x2="end:T")


def time_axis(column: str, scale: Scale) -> alt.X:
    """The time axis that all layers of a chart share; `column` is in milliseconds of the axis."""
    return alt.X(
        f"{column}:T",
        title=None,
        scale=alt.Scale(type="utc", nice=False),
        axis=alt.Axis(
            format=scale.axis_format,
            tickCount=6,
            grid=False,
            labelFlush=True,
            labelOverlap=True,
            labelColor=LABEL_COLOUR,
            labelExpr=_label_expression(scale) if scale.changes else alt.Undefined,
        ),
    )


def _label_expression(scale: Scale) -> str:
    """The label of a tick (a Vega expression) where the clock changes on the axis."""
    parts, before = ["time(datum.value)"], 0
    for at, shift in scale.changes:
        parts.append(f"(time(datum.value) >= {at} ? {shift - before} : 0)")
        before = shift
    return f"utcFormat({' + '.join(parts)}, '{scale.axis_format}')"


def missing_figures(base: alt.Chart, band: Band) -> tuple[alt.Chart, ...]:
    """The slots without figures: grey where unobserved, dotted where suppressed."""
    unobserved = base.mark_rect().encode(
        y=alt.value(band.top),
        y2=alt.value(band.bottom),
        color=colour(theme.BLANK),
        opacity=_opacity_in(State.UNOBSERVED),
    )
    # Several lines, since a single one looks like a value.
    dots = base.mark_rule(strokeDash=[1, 6], strokeCap="round", strokeWidth=2, xOffset=4, x2Offset=-3)
    suppressed = [
        dots.encode(
            y=alt.value(band.top + (band.bottom - band.top) * part),
            color=colour(theme.QUIET),
            opacity=_opacity_in(State.SUPPRESSED),
        )
        for part in (1 / 8, 3 / 8, 5 / 8, 7 / 8)
    ]
    return unobserved, *suppressed


def _opacity_in(state: State) -> Any:
    """Faint in this state, invisible in others. A layer whose rows are filtered out has no time axis."""
    return alt.condition(alt.datum.state == state.value, alt.value(theme.FAINT), alt.value(0))


def share_stack(scale: Scale, band: Band) -> tuple[alt.Chart, ...]:
    """Stacked shares, and their labels to the right of the last stack."""
    y = alt.Y(
        "low:Q",
        title=None,
        scale=alt.Scale(domain=[0, 1], range=[band.bottom, band.top]),
        axis=vertical_axis(values=[0, 0.5, 1], format="%"),
    )
    part = alt.Color("label:N", scale=COLOUR)
    stacks = (
        alt.Chart(STACK)
        .mark_rect(x2Offset=-1)
        .encode(x=time_axis("start", scale), x2="end:T", y=y, y2="high:Q", color=part)
    )
    pixels = alt.Scale(domain=[0, 400], range=[0, 400])
    labels = alt.Chart(LABELS).encode(
        x=time_axis("at", scale), y=alt.Y("y:Q", axis=None, title=None, scale=pixels)
    )
    squares = labels.mark_square(size=70, opacity=1, xOffset=12).encode(color=part)
    names = labels.mark_text(align="left", dx=22, fontSize=12).encode(text="label:N", color=colour(theme.INK))
    return stacks, squares, names


LANE_HEIGHT = 16
"""Pixels of an event with its name."""

_ROOM = "scale('x', datum.room_to) - scale('x', datum.room_from) - 6"


def event_marks(scale: Scale, top: int) -> tuple[alt.Chart, ...]:
    """A line over the time of each event, with its name above, as long as no other name is beside it."""
    base = alt.Chart(EVENTS).encode(tooltip=[alt.Tooltip("name:N"), "when:N"])
    lanes = alt.Scale(domain=[0, 1], range=[top, top + LANE_HEIGHT])
    y = alt.Y("lane:Q", axis=None, title=None, scale=lanes)
    bars = base.mark_rect(cornerRadius=1, yOffset=LANE_HEIGHT - 3, y2Offset=LANE_HEIGHT).encode(
        x=time_axis("start", scale), x2="end:T", y=y, y2="lane:Q", color=colour(theme.CAUTION)
    )
    names = base.mark_text(
        align=alt.ExprRef("datum.align"), fontSize=11, baseline="top", limit=alt.ExprRef(f"max({_ROOM}, 1)")
    ).encode(x=time_axis("at", scale), y=y, text="name:N", color=colour(theme.QUIET))
    return bars, names


def visit_bars(base: alt.Chart, band: Band) -> alt.Chart:
    """The number of visits in each slot; faint in a slot that is not over."""
    layer: alt.Chart = base.mark_rect(x2Offset=-1).encode(
        y=alt.Y(
            "visits:Q",
            title=None,
            scale=alt.Scale(range=[band.bottom, band.top], zero=True),
            axis=vertical_axis(tickCount=2, tickMinStep=1, format=",d"),
        ),
        y2=alt.datum(0),
        opacity=alt.Opacity("visits_opacity:Q", scale=None),
        color=colour(theme.QUIET),
    )
    return layer


def coverage_strip(base: alt.Chart, band: Band) -> tuple[alt.Chart, alt.Chart]:
    """The coverage of each slot as a strip: a gap in it explains a gap in the figures above."""
    parts = base.mark_rect(x2Offset=-1).encode(
        y=alt.value(band.top), y2=alt.value(band.bottom), color=alt.Color("strip:N", scale=COLOUR)
    )
    return parts, band_label("watched", band)


def band_label(name: str, band: Band) -> alt.Chart:
    """A label to the right of a band."""
    layer: alt.Chart = (
        alt.Chart(alt.InlineData(values=[{"name": name}]))
        .mark_text(align="left", dx=12, fontSize=12)
        .encode(x=alt.value("width"), y=alt.value(band.middle), text="name:N", color=colour(theme.QUIET))
    )
    return layer


def tooltips(
    base: alt.Chart,
    band: Band,
    labels: Sequence[str],
    figures: Sequence[alt.Tooltip] = (),
) -> alt.Chart:
    """An invisible layer over each slot whose tooltip lists all figures of the slot."""
    layer: alt.Chart = base.mark_rect(opacity=0).encode(
        y=alt.value(band.top),
        y2=alt.value(band.bottom),
        tooltip=[
            alt.Tooltip("when:N"),
            alt.Tooltip("state:N", title="figures"),
            alt.Tooltip("visits:Q", title="visits", format=","),
            alt.Tooltip("watched:N", title="watched"),
            *figures,
            *(alt.Tooltip(f"{label}:N") for label in labels),
        ],
    )
    return layer


def colour(series: str) -> Any:
    """The colour of a series, by the scale that all layers of a chart share."""
    return alt.ColorDatum(series)


def vertical_axis(grid: bool = False, **options: Any) -> alt.Axis:
    """A vertical axis of the same width in all charts, so that their time axes are aligned."""
    return alt.Axis(
        orient="left",
        ticks=False,
        domain=False,
        grid=grid,
        labelColor=LABEL_COLOUR,
        minExtent=40,
        maxExtent=40,
        **options,
    )
