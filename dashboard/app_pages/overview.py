"""Overview: what changed, and can it be believed?"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard import charts, notices, parts, reading, theme, words
from dashboard.periods import SPANS, Span
from mien.settings import Settings
from storage import definitions
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


def page(settings: Settings) -> None:
    """The whole page, drawn anew at every refresh."""
    try:
        status = reading.status(settings)
        if status.newest_result is None:
            notices.no_data_yet(len(status.cameras))
            return
        span, chosen = filters(status)
        trend = reading.trend(settings, span.name, chosen)
    except reading.DatabaseAwayError as error:
        notices.waiting_for_database(str(error))
        return
    parts.alarm(status.cameras)
    tiles(trend.whole, status.cameras, settings)
    if trend.whole.state is not State.SHOWN:
        notices.no_figures(trend.whole.state, settings.suppress_below)
        return
    zone = ZoneInfo(settings.timezone)
    expressions(trend, span, zone, settings)
    left, right = st.columns(2)
    with left:
        genders(trend, span, zone, settings)
    with right:
        mood(trend, span, zone)


def filters(status: reading.Status) -> tuple[Span, frozenset[str] | None]:
    """The chosen period and cameras; both stand in the address, so that a view can be shared."""
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
            names = parts.names(status.cameras)
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
        parts.freshness(status)
    return SPANS[period], frozenset(chosen) or None


def tiles(whole: Figures, cameras: Sequence[CameraStatus], settings: Settings) -> None:
    """The figures of the whole period."""
    few = f"< {settings.suppress_below}" if whole.state is State.SUPPRESSED else None
    labelled = {label: share for label, share in whole.expressions.items() if label != UNKNOWN}
    top = max(labelled, key=lambda label: labelled[label].value, default=None)
    expected = [camera for camera in cameras if camera.condition.expected]
    online = [camera for camera in expected if camera.condition is Condition.ONLINE]
    low = whole.coverage is not None and whole.coverage < COVERAGE_FLOOR
    with st.container(horizontal=True, key="tiles"):
        parts.tile(
            "Visits",
            few if whole.visits is None else words.count(whole.visits),
            "faces, not people",
            definitions.VISITS,
        )
        parts.tile(
            "Mood index",
            words.index(whole.mood.value) if whole.mood else None,
            f"95 %: {words.index_range(whole.mood)}" if whole.mood else "from −100 to 100",
            definitions.MOOD_INDEX,
        )
        parts.tile(
            "Top expression",
            words.title(top) if top else None,
            f"{words.percent(labelled[top].value)} of visits" if top else "as estimated",
            definitions.EXPRESSION_MIX,
        )
        parts.tile(
            "Cameras online",
            f"{len(online)} / {len(expected)}",
            "see Cameras" if len(online) < len(expected) else "all deliver pictures",
            definitions.CAMERAS_ONLINE,
        )
        parts.tile(
            "Coverage",
            None if whole.coverage is None else words.percent(whole.coverage),
            "visits are missing" if low else "of the scheduled time",
            definitions.COVERAGE,
        )


def expressions(trend: Trend, span: Span, zone: ZoneInfo, settings: Settings) -> None:
    """The expression mix, over time and of the period."""
    with st.container(border=True):
        what = f"share of visits, by {span.slot_name}{key(trend.slots, settings)}"
        parts.heading("Estimated expression", what, definitions.EXPRESSION_MIX)
        wide, narrow = st.columns([62, 38], gap="large")
        with wide:
            parts.draw(charts.expressions_over_time(trend.slots, zone, span), "expressions")
        with narrow:
            parts.draw(
                charts.shares_now(trend.whole.expressions, theme.EXPRESSIONS, row_high=36),
                "expressions-now",
            )


def key(slots: Sequence[Slot], settings: Settings) -> str:
    """What the signs for missing figures mean, where there are any."""
    states = {slot.figures.state for slot in slots}
    hidden = f" · dotted: under {settings.suppress_below} visits" if State.SUPPRESSED in states else ""
    return hidden + (" · grey: not observed" if State.UNOBSERVED in states else "")


def genders(trend: Trend, span: Span, zone: ZoneInfo, settings: Settings) -> None:
    """The gender mix, over time and of the period."""
    with st.container(border=True, height="stretch"):
        parts.heading(
            "Perceived gender (model estimate)",
            f"share of labelled visits, by {span.slot_name}",
            definitions.GENDER_MIX,
        )
        if trend.whole.gender_unknown is None:
            st.caption(f"Too few labelled visits to show: figures appear from {settings.suppress_below} on.")
            return
        parts.draw(charts.genders_over_time(trend.slots, zone, span), "genders")
        parts.draw(charts.shares_now(trend.whole.genders, GENDERS, row_high=28), "genders-now")
        st.caption(f"Not labelled: {words.percent(trend.whole.gender_unknown.value)} of visits")


def mood(trend: Trend, span: Span, zone: ZoneInfo) -> None:
    """The mood index over time."""
    with st.container(border=True, height="stretch"):
        parts.heading("Mood index", f"mean and 95 % interval, by {span.slot_name}", definitions.MOOD_INDEX)
        parts.draw(charts.mood_over_time(trend.slots, zone, span), "mood")


_settings = Settings()
st.fragment(run_every=_settings.refresh_seconds)(page)(_settings)
