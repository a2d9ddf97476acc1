"""The page Overview: the figures of a period, and how reliable they are."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import charts, components, formats, notices, queries, theme
from dashboard.spans import SPANS, Span
from mien.settings import Settings
from storage import definitions
from storage.errors import StorageError
from storage.trends import (
    COVERAGE_FLOOR,
    GENDERS,
    UNKNOWN,
    CameraStatus,
    Condition,
    Figures,
    Slot,
    State,
    Trend,
)


def draw_page(settings: Settings) -> None:
    """Draw the page; called again at every refresh."""
    try:
        status = queries.read_status(settings)
        if status.newest_result is None:
            notices.show_no_data(len(status.cameras))
            return
        span, chosen = draw_filters(status)
        trend = queries.read_trend(settings, span.name, chosen)
    except StorageError as error:
        notices.show_database_unavailable(str(error))
        return
    components.show_alarm(status.cameras)
    draw_tiles(trend.whole, status.cameras, settings)
    if trend.whole.state is not State.SHOWN:
        notices.show_no_figures(trend.whole.state, settings.suppress_below)
        return
    zone = ZoneInfo(settings.timezone)
    draw_expressions(trend, span, zone, settings)
    left, right = st.columns(2)
    with left:
        draw_genders(trend, span, zone, settings)
    with right:
        draw_mood(trend, span, zone)


def draw_filters(status: queries.Status) -> tuple[Span, frozenset[str] | None]:
    """The chosen period and cameras, which are a part of the page's address, so that a view can be shared."""
    with st.container(horizontal=True, vertical_alignment="center", key="filters"):
        period = st.segmented_control(
            "Period",
            list(SPANS),
            default=next(iter(SPANS)),
            required=True,
            key="period",
            bind="query-params",
            label_visibility="collapsed",
        )
        chosen: Sequence[str] = ()
        if len(status.cameras) > 1:
            names = components.camera_names(status.cameras)
            chosen = st.pills(
                "Cameras",
                list(names),
                selection_mode="multi",
                format_func=names.__getitem__,
                key="camera",
                bind="query-params",
                label_visibility="collapsed",
            )
        st.space("stretch")
        components.show_freshness(status)
    return SPANS[period], frozenset(chosen) or None


def draw_tiles(whole: Figures, cameras: Sequence[CameraStatus], settings: Settings) -> None:
    """The figures of the whole period."""
    few = f"< {settings.suppress_below}" if whole.state is State.SUPPRESSED else None
    labelled = {label: share for label, share in whole.expressions.items() if label != UNKNOWN}
    top = max(labelled, key=lambda label: labelled[label].value, default=None)
    expected = [camera for camera in cameras if camera.condition.expected]
    online = [camera for camera in expected if camera.condition is Condition.ONLINE]
    missing = len(expected) - len(online)
    low = whole.coverage is not None and whole.coverage < COVERAGE_FLOOR
    with st.container(horizontal=True, key="tiles"):
        components.show_tile(
            "Visits",
            few if whole.visits is None else formats.count(whole.visits),
            "faces, not people",
            definitions.VISITS,
        )
        components.show_tile(
            "Mood index",
            formats.mood(whole.mood.value) if whole.mood else None,
            f"95 %: {formats.mood_range(whole.mood)}" if whole.mood else "from −100 to 100",
            definitions.MOOD_INDEX,
        )
        components.show_tile(
            "Top expression",
            formats.capitalized(top) if top else None,
            f"{formats.percent(labelled[top].value)} of visits" if top else "as estimated",
            definitions.EXPRESSION_MIX,
        )
        components.show_tile(
            "Cameras online",
            f"{len(online)} / {len(expected)}",
            f"{missing} without pictures" if missing else "all deliver pictures",
            definitions.CAMERAS_ONLINE,
        )
        components.show_tile(
            "Coverage",
            None if whole.coverage is None else formats.rounded_percent(whole.coverage),
            "visits are missing" if low else "of the scheduled time",
            definitions.COVERAGE,
        )


def draw_expressions(trend: Trend, span: Span, zone: ZoneInfo, settings: Settings) -> None:
    """The expression shares, over time and of the period."""
    with st.container(border=True):
        subtitle = f"share of visits, by {span.slot_name}{legend(trend.slots)}"
        help_text = with_suppression(definitions.EXPRESSION_MIX, settings)
        components.show_heading("Estimated expression", subtitle, help_text)
        wide, narrow = st.columns([62, 38], gap="large")
        with wide:
            components.show_chart(
                charts.expressions_over_time(trend.slots, zone, span), "Expressions over time"
            )
        with narrow:
            components.show_chart(
                charts.shares_of_period(trend.whole.expressions, theme.EXPRESSIONS, row_height=36),
                "Expressions of the period",
            )


def legend(slots: Sequence[Slot]) -> str:
    """The meaning of the marks for missing figures, where there are any."""
    states = {slot.figures.state for slot in slots}
    suppressed = " · dotted: too few to show" if State.SUPPRESSED in states else ""
    return suppressed + (" · grey: not observed" if State.UNOBSERVED in states else "")


def with_suppression(definition: str, settings: Settings) -> str:
    """The definition of a figure, and the rule by which it may be suppressed."""
    k = settings.suppress_below
    return definition if k == 1 else f"{definition}\n\n{definitions.suppression(k)}"


def draw_genders(trend: Trend, span: Span, zone: ZoneInfo, settings: Settings) -> None:
    """The gender shares, over time and of the period."""
    with st.container(border=True, height="stretch"):
        components.show_heading(
            "Perceived gender (model estimate)",
            f"share of labelled visits, by {span.slot_name}",
            with_suppression(definitions.GENDER_MIX, settings),
        )
        if trend.whole.gender_unknown is None:
            k = settings.suppress_below
            st.caption(f"Too few labelled visits to show: figures appear from {k} labelled visits on.")
            return
        components.show_chart(charts.genders_over_time(trend.slots, zone, span), "Perceived gender over time")
        shares = charts.shares_of_period(trend.whole.genders, GENDERS, row_height=28)
        components.show_chart(shares, "Perceived gender of the period")
        st.caption(f"Not labelled: {formats.percent(trend.whole.gender_unknown.value)} of visits")


def draw_mood(trend: Trend, span: Span, zone: ZoneInfo) -> None:
    """The mood index over time."""
    with st.container(border=True, height="stretch"):
        components.show_heading(
            "Mood index", f"mean and 95 % interval, by {span.slot_name}", definitions.MOOD_INDEX
        )
        components.show_chart(charts.mood_over_time(trend.slots, zone, span), "Mood index over time")


_settings = Settings()
st.fragment(run_every=_settings.refresh_seconds)(draw_page)(_settings)
