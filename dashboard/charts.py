"""Figures to charts: pure, no reading, no Streamlit.

Colours are left to the viewer's theme (`dashboard.theme`), and whatever moves with time is in the data,
never in the specification: it is made once, and the browser updates such a chart in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from dashboard import layers, rows, theme
from dashboard.layers import Band
from dashboard.periods import Span
from dashboard.rows import Mix
from storage.trends import GENDERS, Interval, Slot

_EXPRESSIONS, _VISITS, _EXPRESSIONS_STRIP = Band(6, 196), Band(212, 252), Band(262, 268)
_GENDERS, _GENDERS_STRIP = Band(6, 116), Band(126, 132)
_MOOD, _MOOD_STRIP = Band(6, 244), Band(254, 260)


@dataclass(frozen=True, slots=True)
class Chart:
    """A Vega-Lite specification that is the same at every refresh, and the tables that it draws, by name."""

    specification: Mapping[str, Any]
    tables: Mapping[str, Any]

    def vega_lite(self) -> dict[str, Any]:
        """Both together, as `st.vega_lite_chart` takes them."""
        return {**self.specification, "datasets": {**self.specification.get("datasets", {}), **self.tables}}


def expressions_over_time(slots: Sequence[Slot], zone: ZoneInfo, span: Span) -> Chart:
    """The stacked expression mix, the visits behind it and what was watched, over one time axis.

    Times are those of the wall clock of `zone`.
    """
    tables = _stacked(slots, zone, theme.EXPRESSIONS, attrgetter("expressions"), _EXPRESSIONS)
    return Chart(_expressions_specification(span), tables)


def genders_over_time(slots: Sequence[Slot], zone: ZoneInfo, span: Span) -> Chart:
    """The stacked gender mix of the labelled visits and what was watched, over one time axis."""
    tables = _stacked(slots, zone, GENDERS, attrgetter("genders"), _GENDERS)
    return Chart(_genders_specification(span), tables)


def mood_over_time(slots: Sequence[Slot], zone: ZoneInfo, span: Span) -> Chart:
    """The mood index of each slot in its interval and what was watched, over one time axis."""
    return Chart(_mood_specification(span), {"slots": rows.slot_rows(slots, zone, (), lambda _: {})})


def shares_now(shares: Mapping[str, Interval], labels: Sequence[str], row_high: int) -> Chart:
    """One bar per label with its interval and its figure; faint where too few visits back it."""
    return Chart(_shares_specification(row_high * len(labels)), {"shares": rows.share_rows(shares, labels)})


def _stacked(
    slots: Sequence[Slot], zone: ZoneInfo, labels: Sequence[str], mix: Mix, band: Band
) -> dict[str, Any]:
    return {
        "slots": rows.slot_rows(slots, zone, labels, mix),
        "stack": rows.stack_rows(slots, zone, labels, mix),
        "labels": rows.label_rows(slots, zone, labels, mix, band.top, band.bottom),
    }


@cache
def _expressions_specification(span: Span) -> dict[str, Any]:
    base = layers.slots(span)
    return layers.specification(
        _EXPRESSIONS_STRIP.bottom + layers.AXIS_HIGH,
        *layers.ground(base, _EXPRESSIONS),
        *layers.stack(span, _EXPRESSIONS),
        layers.visits(base, _VISITS),
        layers.row_name("visits", _VISITS),
        *layers.strip(base, _EXPRESSIONS_STRIP),
        layers.hover(base, Band(_EXPRESSIONS.top, _EXPRESSIONS_STRIP.bottom), span, theme.EXPRESSIONS),
    )


@cache
def _genders_specification(span: Span) -> dict[str, Any]:
    base = layers.slots(span)
    return layers.specification(
        _GENDERS_STRIP.bottom + layers.AXIS_HIGH,
        *layers.ground(base, _GENDERS),
        *layers.stack(span, _GENDERS),
        *layers.strip(base, _GENDERS_STRIP),
        layers.hover(base, Band(_GENDERS.top, _GENDERS_STRIP.bottom), span, GENDERS),
    )


@cache
def _mood_specification(span: Span) -> dict[str, Any]:
    base = layers.slots(span)
    y: dict[str, Any] = {
        "title": None,
        "scale": alt.Scale(range=[_MOOD.bottom, _MOOD.top], zero=True, nice=True),
        "axis": layers.axis(
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
        _MOOD_STRIP.bottom + layers.AXIS_HIGH,
        *layers.ground(base, _MOOD),
        alt.layer(interval, mean),
        *layers.strip(base, _MOOD_STRIP),
        layers.hover(base, Band(_MOOD.top, _MOOD_STRIP.bottom), span, (), figures),
    )


@cache
def _shares_specification(height: int) -> dict[str, Any]:
    y = alt.Y(
        "label:N",
        sort=None,
        title=None,
        axis=alt.Axis(
            ticks=False, domain=False, labelPadding=10, labelFontSize=13, minExtent=74, maxExtent=74
        ),
    )
    tooltip = [
        alt.Tooltip("label:N", title="estimate"),
        alt.Tooltip("share:Q", title="share", format=".1%"),
        alt.Tooltip("low:Q", title="95 % interval from", format=".1%"),
        alt.Tooltip("high:Q", title="to", format=".1%"),
        alt.Tooltip("n:Q", title="of visits", format=","),
    ]
    base = alt.Chart(layers.SHARES).encode(y=y, tooltip=tooltip, opacity=alt.Opacity("opacity:Q", scale=None))
    bar = base.mark_bar(height=12, cornerRadiusEnd=3).encode(
        x=alt.X("share:Q", title=None, scale=alt.Scale(domainMin=0, nice=False), axis=None),
        color=alt.Color("label:N", scale=layers.COLOUR),
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
