"""The page Trends: every figure over time, by the hour of the week, and by perceived gender."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import streamlit as st
from typing_extensions import TypedDict, Unpack

from common.timezones import open_timezone
from dashboard import (
    chart_tables,
    charts,
    components,
    drawings,
    exports,
    formats,
    notices,
    page,
    pattern_tables,
    queries,
    theme,
    trend_charts,
)
from dashboard.missing_estimates import SWITCHED_OFF, why_no_expressions, why_no_genders
from dashboard.page import View
from dashboard.queries import Question
from dashboard.scales import Scale, scale_of
from storage import definitions
from storage.figures.groups import State
from storage.figures.timeline import Timeline, Unit
from storage.figures.trend import Trend

_USUAL = "automatic"
_SMALL_COLUMNS = 4


class Look(TypedDict, total=False):
    """How a line is drawn, see `trend_charts.values_over_time`."""

    estimate: chart_tables.Estimate
    series: str
    top: float | None
    unit: str
    signed: bool
    small: bool


def draw_page(view: View) -> None:
    """Draw the page; called again at every refresh."""
    page.show_header(view, "Trends")
    unit = choose_unit(view)
    question = queries.ask(view.settings, view.selection, unit)
    timeline, trend = queries.read_figures(view.settings, view.actor, question)
    notices.show_deleted(timeline, view.settings.keep_visits_days)
    if trend.whole.state is not State.SHOWN:
        notices.show_no_figures(trend.whole.state, view.settings.suppress_below)
        return
    zone, scale = open_timezone(view.settings.timezone), scale_of(timeline)
    draw_expressions(view, timeline, trend, zone, scale)
    draw_each_expression(view, trend, zone, scale)
    draw_other_figures(view, trend, zone, scale)
    draw_patterns(view, question)
    exports.show_downloads(view, timeline, trend)


def choose_unit(view: View) -> Unit | None:
    """The slots that the viewer has chosen, None for the usual ones of the period."""
    zone = open_timezone(view.settings.timezone)
    units = view.selection.units(view.status.now, zone)
    if len(units) < 2:
        return None
    names = [_USUAL, *(unit.value for unit in units)]
    chosen = st.segmented_control(
        "Slots",
        names,
        default=_USUAL,
        required=True,
        key="by",
        bind="query-params",
        label_visibility="collapsed",
    )
    return None if chosen in {None, _USUAL} else Unit(chosen)


def draw_expressions(view: View, timeline: Timeline, trend: Trend, zone: ZoneInfo, scale: Scale) -> None:
    """The stacked expression shares with visits, coverage and events."""
    events = [event for event in view.status.events if event.concerns(view.selection.cameras)]
    with st.container(border=True):
        components.show_heading(
            "Estimated expression",
            f"share of visits, by {scale.slot_name}{components.legend(trend.slots)}",
            definitions.EXPRESSION_MIX,
        )
        if missing := why_no_expressions(trend.whole, view.settings.suppress_below):
            st.caption(missing)
            return
        drawings.show_chart(
            trend,
            lambda: charts.expressions_over_time(trend.slots, zone, scale, events),
            f"Stacked expression shares, {timeline.slots} slots",
            repr(events),
        )


def draw_each_expression(view: View, trend: Trend, zone: ZoneInfo, scale: Scale) -> None:
    """Each expression on its own, all with one axis; nothing where the chart above has none."""
    if why_no_expressions(trend.whole, view.settings.suppress_below):
        return
    top = trend_charts.highest(trend.slots, theme.EXPRESSIONS)
    with st.container(border=True):
        components.show_heading(
            "Each expression",
            f"share of visits with 95 % interval, by {scale.slot_name}; dashed: still running",
            definitions.EXPRESSION_MIX,
        )
        labels = theme.EXPRESSIONS
        for first in range(0, len(labels), _SMALL_COLUMNS):
            row = labels[first : first + _SMALL_COLUMNS]
            for column, label in zip(st.columns(_SMALL_COLUMNS), row, strict=False):
                with column:
                    st.markdown(f":small[{label.capitalize()}]")
                    show_line(
                        f"Share of {label} over time",
                        trend,
                        zone,
                        scale,
                        lambda figures, label=label: figures.expressions.get(label),  # type: ignore[misc]
                        estimate=chart_tables.EXPRESSION,
                        series=theme.INK if label == "unknown" else label,
                        top=top,
                        unit="%",
                        small=True,
                    )


def draw_other_figures(view: View, trend: Trend, zone: ZoneInfo, scale: Scale) -> None:
    """Visits, mood, dwell, engagement and perceived gender."""
    k = view.settings.suppress_below
    by = f"by {scale.slot_name}"
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        components.show_heading("Visits", f"number, {by}; faint: not a full slot", definitions.VISITS)
        drawings.show_chart(
            trend, lambda: trend_charts.visits_over_time(trend.slots, zone, scale), "Visits over time"
        )
    with right, st.container(border=True, height="stretch"):
        components.show_heading("Mood index", f"mean with 95 % interval, {by}", definitions.MOOD_INDEX)
        if missing := why_no_expressions(trend.whole, k):
            st.caption(missing)
        else:
            show_line(
                "Mood index over time",
                trend,
                zone,
                scale,
                lambda figures: figures.mood,
                estimate=chart_tables.EXPRESSION,
                signed=True,
            )
    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        components.show_heading("Dwell", f"mean seconds with 95 % interval, {by}", definitions.DWELL)
        show_line("Mean dwell over time", trend, zone, scale, lambda figures: figures.dwell, unit="s")
        median = trend.whole.dwell_median
        if median:
            st.caption(
                f"Median of the period: {median.value:.1f} s ({median.low:.1f} to {median.high:.1f} s)"
            )
    with right, st.container(border=True, height="stretch"):
        components.show_heading(
            "Engagement", f"visits of at least 10 s with 95 % interval, {by}", definitions.ENGAGEMENT
        )
        show_line("Engagement over time", trend, zone, scale, lambda figures: figures.engagement, unit="%")
    with st.container(border=True):
        components.show_heading(
            "Perceived gender (model estimate)",
            f"share of women among labelled visits with 95 % interval, {by}",
            definitions.GENDER_MIX,
        )
        if missing := why_no_genders(trend.whole, k):
            st.caption(missing)
            return
        show_line(
            "Share of perceived women over time",
            trend,
            zone,
            scale,
            lambda figures: figures.genders.get("female"),
            estimate=chart_tables.GENDER,
            series="female",
            top=1.0,
            unit="%",
        )


def show_line(
    alt: str, trend: Trend, zone: ZoneInfo, scale: Scale, get: trend_charts.GetInterval, **look: Unpack[Look]
) -> None:
    """A figure over time as a line with its interval."""
    drawings.show_chart(
        trend, lambda: trend_charts.values_over_time(trend.slots, zone, scale, get, **look), alt
    )


def draw_patterns(view: View, question: Question) -> None:
    """Visits by the hour of the week, and expressions by perceived gender."""
    left, right = st.columns([60, 40])
    with left, st.container(border=True, height="stretch"):
        week = queries.read_hours_of_week(view.settings, view.actor, question)
        most = max((each.rate for each in week if each.rate is not None), default=0.0)
        darkest = f", the darkest {most:,.1f}" if most else ""
        components.show_heading(
            "Hours of the week", f"visits per camera and hour{darkest}", definitions.HOURS_OF_WEEK
        )
        drawings.show_chart(
            week,
            lambda: trend_charts.week_heat_map(week),
            "Visits by weekday and hour; the table below has the numbers",
        )
        with st.expander("Hours of the week as numbers"):
            st.html(pattern_tables.hours_of_week(week))
            st.caption(f"{pattern_tables.FEW}: too few to show. {formats.NO_VALUE}: not observed.")
    with right, st.container(border=True, height="stretch"):
        components.show_heading("Expression by perceived gender", "share of visits", definitions.CROSS)
        mixes = queries.read_expressions_by_gender(view.settings, view.actor, question)
        if not any(mix.visits != 0 for mix in mixes):
            st.caption(SWITCHED_OFF)
            return
        drawings.show_chart(
            mixes,
            lambda: trend_charts.expressions_by_gender(mixes),
            "Expressions by perceived gender; the table below has the numbers",
        )
        components.show_series(theme.EXPRESSIONS)
        with st.expander("Expression by perceived gender as numbers"):
            st.html(pattern_tables.expressions_by_gender(mixes))
            st.caption(
                f"Share of visits with 95 % interval. {pattern_tables.FEW}: too few to show. "
                f"{formats.NO_VALUE}: nobody."
            )


page.show(draw_page, least_s=page.SLOWLY_S)
