"""Conversion of figures to charts; pure functions without queries and without Streamlit.

The viewer's theme supplies the colours (`dashboard.theme`). Everything that changes with time is in the
tables, never in the specification: the browser updates a chart in place as long as its specification stays
the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from dashboard import chart_layers as layers
from dashboard import chart_tables as tables
from dashboard import theme
from dashboard.chart_layers import Band
from dashboard.chart_tables import Estimate, GetShares
from dashboard.scales import Scale
from storage.events import Event
from storage.figures.trend import Slot
from storage.intervals import Interval
from storage.tables import GENDERS

_EXPRESSIONS_HEIGHT = 190
_GENDERS, _GENDERS_STRIP = Band(6, 116), Band(126, 132)
_MOOD, _MOOD_STRIP = Band(6, 244), Band(254, 260)


@dataclass(frozen=True, slots=True)
class Chart:
    """A Vega-Lite specification, the same at every refresh, and the tables that it draws, by name."""

    specification: Mapping[str, Any]
    tables: Mapping[str, Any]

    def vega_lite(self) -> dict[str, Any]:
        """Specification and tables as the argument of `st.vega_lite_chart`."""
        return {**self.specification, "datasets": {**self.specification.get("datasets", {}), **self.tables}}


def expressions_over_time(
    slots: Sequence[Slot], zone: ZoneInfo, scale: Scale, events: Sequence[Event] = ()
) -> Chart:
    """The stacked expression shares, the number of visits and the coverage on one time axis; events above.

    Times are local times of `zone`.
    """
    drawn_events = tables.event_table(events, slots, zone)
    lanes = max(int(drawn_events["lane"].max()) + 1 if len(drawn_events) else 0, 1)
    band = _expressions_band(lanes)
    drawn = _stack_tables(
        slots, zone, scale, theme.EXPRESSIONS, attrgetter("expressions"), tables.EXPRESSION, band
    )
    return Chart(_expressions_specification(scale.axis, lanes), {**drawn, "events": drawn_events})


def genders_over_time(slots: Sequence[Slot], zone: ZoneInfo, scale: Scale) -> Chart:
    """The stacked gender shares of the labelled visits and the coverage on one time axis."""
    drawn = _stack_tables(slots, zone, scale, GENDERS, attrgetter("genders"), tables.GENDER, _GENDERS)
    return Chart(_genders_specification(scale.axis), drawn)


def mood_over_time(slots: Sequence[Slot], zone: ZoneInfo, scale: Scale) -> Chart:
    """The mood index of each slot with its interval, and the coverage, on one time axis."""
    drawn = tables.slot_table(slots, zone, scale, (), lambda _: {}, tables.EXPRESSION)
    return Chart(_mood_specification(scale.axis), {"slots": drawn})


def shares_of_period(shares: Mapping[str, Interval], labels: Sequence[str], row_height: int) -> Chart:
    """One bar per label with its interval and its figure; the bar is faint where it is from few visits."""
    height = row_height * len(labels)
    return Chart(_shares_specification(height), {"shares": tables.share_table(shares, labels)})


def _stack_tables(
    slots: Sequence[Slot],
    zone: ZoneInfo,
    scale: Scale,
    labels: Sequence[str],
    get_shares: GetShares,
    estimate: Estimate,
    band: Band,
) -> dict[str, Any]:
    return {
        "slots": tables.slot_table(slots, zone, scale, labels, get_shares, estimate),
        "stack": tables.stack_table(slots, zone, labels, get_shares),
        "labels": tables.label_table(slots, zone, labels, get_shares, band.top, band.bottom),
    }


def _expressions_band(lanes: int) -> Band:
    """The band of the shares below `lanes` lanes of events."""
    top = lanes * layers.LANE_HEIGHT + 4
    return Band(top, top + _EXPRESSIONS_HEIGHT)


@cache
def _expressions_specification(scale: Scale, lanes: int) -> dict[str, Any]:
    base, band = layers.slot_base(scale), _expressions_band(lanes)
    visits, strip = Band(band.bottom + 16, band.bottom + 56), Band(band.bottom + 66, band.bottom + 72)
    return layers.specification(
        strip.bottom + layers.AXIS_HEIGHT,
        *layers.missing_figures(base, band),
        *layers.share_stack(scale, band),
        layers.visit_bars(base, visits),
        layers.band_label("visits", visits),
        *layers.coverage_strip(base, strip),
        layers.tooltips(base, Band(band.top, strip.bottom), theme.EXPRESSIONS),
        *layers.event_marks(scale, top=0),
    )


@cache
def _genders_specification(scale: Scale) -> dict[str, Any]:
    base = layers.slot_base(scale)
    return layers.specification(
        _GENDERS_STRIP.bottom + layers.AXIS_HEIGHT,
        *layers.missing_figures(base, _GENDERS),
        *layers.share_stack(scale, _GENDERS),
        *layers.coverage_strip(base, _GENDERS_STRIP),
        layers.tooltips(base, Band(_GENDERS.top, _GENDERS_STRIP.bottom), GENDERS),
    )


@cache
def _mood_specification(scale: Scale) -> dict[str, Any]:
    base = layers.slot_base(scale)
    y: dict[str, Any] = {
        "title": None,
        "scale": alt.Scale(range=[_MOOD.bottom, _MOOD.top], zero=True, nice=True),
        "axis": layers.vertical_axis(
            tickCount=4,
            tickMinStep=1,
            grid=True,
            gridOpacity=0.6,
            labelExpr="(datum.value > 0 ? '+' : '') + datum.label",
        ),
    }
    interval = base.mark_rect(x2Offset=-1, opacity=0.25).encode(
        y=alt.Y("mood_low:Q", **y), y2="mood_high:Q", color=layers.colour(theme.ACCENT)
    )
    mean = base.mark_rule(x2Offset=-1, strokeWidth=2.5).encode(
        y=alt.Y("mood:Q", **y), color=layers.colour(theme.ACCENT)
    )
    figures = [
        alt.Tooltip("mood:Q", title="mood index", format="+.1f"),
        alt.Tooltip("mood_low:Q", title="95 % interval from", format="+.1f"),
        alt.Tooltip("mood_high:Q", title="to", format="+.1f"),
    ]
    return layers.specification(
        _MOOD_STRIP.bottom + layers.AXIS_HEIGHT,
        *layers.missing_figures(base, _MOOD),
        alt.layer(interval, mean),
        *layers.coverage_strip(base, _MOOD_STRIP),
        layers.tooltips(base, Band(_MOOD.top, _MOOD_STRIP.bottom), (), figures),
    )


@cache
def _shares_specification(height: int) -> dict[str, Any]:
    y = alt.Y(
        "label:N",
        sort=None,
        title=None,
        axis=alt.Axis(
            ticks=False,
            domain=False,
            labelColor=layers.LABEL_COLOUR,
            labelPadding=10,
            labelFontSize=13,
            minExtent=74,
            maxExtent=74,
        ),
    )
    tooltip = [
        alt.Tooltip("label:N", title="estimate"),
        alt.Tooltip("share:Q", title="share", format=".1%"),
        alt.Tooltip("low:Q", title="95 % interval from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
        alt.Tooltip("n:Q", title="of visits", format=","),
    ]
    base = alt.Chart(layers.SHARES).encode(y=y, tooltip=tooltip)
    # Of marks of few visits the bar alone is faint: faint text has too little contrast.
    bar = base.mark_bar(height=12, cornerRadiusEnd=3).encode(
        x=alt.X("share:Q", title=None, scale=alt.Scale(domainMin=0, nice=False), axis=None),
        color=alt.Color("label:N", scale=layers.COLOUR),
        opacity=alt.Opacity("opacity:Q", scale=None),
    )
    interval = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("low:Q", title=None, axis=None), x2="high:Q", color=layers.colour(theme.INK)
    )
    figure = base.mark_text(align="right", dx=52, fontSize=13, fontWeight=600).encode(
        x=alt.value("width"), text="text:N", color=layers.colour(theme.INK)
    )
    ends = base.mark_text(align="left", dx=62, fontSize=12).encode(
        x=alt.value("width"), text="range:N", color=layers.colour(theme.QUIET)
    )
    return layers.specification(height, bar, interval, figure, ends, scales="shared")
