"""The page Overview: the figures of a period, what changed, and how reliable it is."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import streamlit as st

from common.timezones import open_timezone
from dashboard import changes, charts, components, drawings, formats, notices, page, queries, theme
from dashboard.missing_estimates import why_no_expressions, why_no_genders
from dashboard.page import View
from dashboard.scales import scale_of
from dashboard.selection import comparison_text
from dashboard.tiles import Tile, change_in_points, show_tiles, sparkline, visits_detail
from mien.settings import Settings
from storage import definitions
from storage.camera_status import CameraStatus, Condition
from storage.figures.groups import COVERAGE_FLOOR, Figures, State
from storage.figures.timeline import Timeline
from storage.figures.trend import Trend
from storage.tables import GENDERS

_UNKNOWN = "unknown"


def draw_header(view: View) -> None:
    """Draw the name of the page, how fresh it is, and which cameras are down.

    Raises WrongPeriod, since this part of the page explains why there are no figures.
    """
    page.show_header(view, "Overview")
    queries.ask(view.settings, view.selection).timeline()


def draw_figures(view: View) -> None:
    """Draw the figures and charts."""
    settings, question = view.settings, queries.ask(view.settings, view.selection)
    timeline, trend = queries.read_figures(settings, view.actor, question)
    notices.show_deleted(timeline, settings.keep_visits_days)
    days = view.selection.shift_days(timeline.now, timeline.zone)
    earlier = queries.read_earlier(settings, view.actor, question, days) if days else None
    change = queries.read_visit_change(settings, view.actor, question, days) if days else None
    chosen = view.selection.cameras
    cameras = [each for each in view.status.cameras if chosen is None or each.camera_id in chosen]
    draw_tiles(trend, visits_detail(trend, timeline, change), earlier, cameras)
    if days:
        st.caption(
            f"Changes are against the same time {comparison_text(days)}, on the same weekdays; that of "
            "visits is over the time whose visits can be shown on both sides."
        )
    if trend.whole.state is not State.SHOWN:
        notices.show_no_figures(trend.whole.state, settings.suppress_below)
        return
    zone = open_timezone(settings.timezone)
    draw_expressions(view, timeline, trend, zone)
    left, right = st.columns(2)
    with left:
        draw_genders(trend, timeline, zone, settings)
    with right:
        draw_mood(trend, timeline, zone, settings)
    if days:
        changes.show_changes(view, question, days)
    if view.status.simulated:
        st.caption(
            "What you see here: visits of simulated cameras. The page Cameras shows their state; Trends and "
            "Compare show the history, in which a campaign has a known effect."
        )


def draw_tiles(trend: Trend, visits: str, earlier: Trend | None, cameras: Sequence[CameraStatus]) -> None:
    """The figures of the whole period, each with its course and its change.

    `visits` is what is written below the number of visits.
    """
    whole, before = trend.whole, earlier.whole if earlier else None
    # Not "fewer than k": that is what each day or group of minutes may have, and the period more.
    hidden = "hidden" if whole.state is State.SUPPRESSED else None
    labelled = {label: share for label, share in whole.expressions.items() if label != _UNKNOWN}
    top = max(labelled, key=lambda label: labelled[label].value, default=None)
    expected = [camera for camera in cameras if camera.condition.expected]
    online = [camera for camera in expected if camera.condition is Condition.ONLINE]
    missing = len(expected) - len(online)
    low = whole.coverage is not None and whole.coverage < COVERAGE_FLOOR
    show_tiles(
        [
            Tile(
                "Visits",
                hidden if whole.visits is None else formats.count(whole.visits),
                visits,
                definitions.VISITS,
                sparkline(trend, lambda figures: figures.visits),
            ),
            Tile(
                "Mood index",
                formats.mood(whole.mood.value) if whole.mood else None,
                f"95 %: {formats.mood_range(whole.mood)}" if whole.mood else "from −100 to 100",
                definitions.MOOD_INDEX,
                sparkline(trend, lambda figures: figures.mood.value if figures.mood else None),
            ),
            Tile(
                "Top expression",
                formats.capitalized(top) if top else None,
                formats.percent(labelled[top].value)
                + change_in_points(labelled[top], before.expressions.get(top) if before else None)
                if top
                else "as estimated",
                definitions.EXPRESSION_MIX,
                sparkline(trend, lambda figures: _share(figures, top)),
            ),
            Tile(
                "Cameras online",
                f"{len(online)} / {len(expected)}",
                online_text(len(expected), missing),
                definitions.CAMERAS_ONLINE,
            ),
            Tile(
                "Coverage",
                None if whole.coverage is None else formats.percent(whole.coverage),
                "visits are missing" if low else "of the scheduled time",
                definitions.COVERAGE,
            ),
        ]
    )


def online_text(expected: int, missing: int) -> str:
    """Whether all cameras deliver pictures, in words."""
    if not expected:
        return "no camera is active"
    return f"{missing} without pictures" if missing else "all deliver pictures"


def _share(figures: Figures, label: str | None) -> float | None:
    share = figures.expressions.get(label or "")
    return share.value if share else None


def draw_expressions(view: View, timeline: Timeline, trend: Trend, zone: ZoneInfo) -> None:
    """The expression shares, over time and of the period."""
    scale = scale_of(timeline)
    events = [event for event in view.status.events if event.concerns(view.selection.cameras)]
    with st.container(border=True):
        legend = components.legend(trend.slots)
        subtitle = f"share of visits with an estimate, by {scale.slot_name}{legend}"
        help_text = with_suppression(definitions.EXPRESSION_MIX, view.settings)
        components.show_heading("Estimated expression", subtitle, help_text)
        if missing := why_no_expressions(trend.whole, view.settings.suppress_below):
            st.caption(missing)
            return
        wide, narrow = st.columns([62, 38], gap="large")
        with wide:
            drawings.show_chart(
                trend,
                lambda: charts.expressions_over_time(trend.slots, zone, scale, events),
                "Expressions over time",
                repr(events),
            )
        with narrow:
            drawings.show_chart(
                trend,
                lambda: charts.shares_of_period(trend.whole.expressions, theme.EXPRESSIONS, row_height=36),
                "Expressions of the period",
            )


def with_suppression(definition: str, settings: Settings) -> str:
    """The definition of a figure, and the rule by which it may be suppressed."""
    k = settings.suppress_below
    return definition if k == 1 else f"{definition}\n\n{definitions.suppression(k)}"


def draw_genders(trend: Trend, timeline: Timeline, zone: ZoneInfo, settings: Settings) -> None:
    """The gender shares, over time and of the period."""
    scale = scale_of(timeline)
    with st.container(border=True, height="stretch"):
        components.show_heading(
            "Perceived gender (model estimate)",
            f"share of labelled visits, by {scale.slot_name}",
            with_suppression(definitions.GENDER_MIX, settings),
        )
        if missing := why_no_genders(trend.whole, settings.suppress_below):
            st.caption(missing)
            return
        drawings.show_chart(
            trend,
            lambda: charts.genders_over_time(trend.slots, zone, scale),
            "Perceived gender over time",
        )
        drawings.show_chart(
            trend,
            lambda: charts.shares_of_period(trend.whole.genders, GENDERS, row_height=28),
            "Perceived gender of the period",
        )
        if trend.whole.gender_unknown:
            unknown = formats.percent(trend.whole.gender_unknown.value)
            st.caption(f"Not labelled: {unknown} of the visits whose gender was estimated")


def draw_mood(trend: Trend, timeline: Timeline, zone: ZoneInfo, settings: Settings) -> None:
    """The mood index over time."""
    scale = scale_of(timeline)
    with st.container(border=True, height="stretch"):
        components.show_heading(
            "Mood index", f"mean and 95 % interval, by {scale.slot_name}", definitions.MOOD_INDEX
        )
        if missing := why_no_expressions(trend.whole, settings.suppress_below):
            st.caption(missing)
            return
        drawings.show_chart(
            trend, lambda: charts.mood_over_time(trend.slots, zone, scale), "Mood index over time"
        )


page.show(draw_header)
page.show(draw_figures, least_s=page.figure_seconds(), secondary=True)
