"""The page Compare: A against B, with intervals and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import streamlit as st

from common.timezones import open_timezone
from dashboard import comparison_table, components, page, queries
from dashboard.page import View
from dashboard.selection import comparison_text
from storage import definitions
from storage.events import Event
from storage.figures.comparison import Chosen, Comparison
from storage.figures.timeline import MOST_DAYS, Unit, day_timeline, shifted
from storage.local_time import date_of

PERIODS, CAMERAS, SITES, EVENT = "Periods", "Cameras", "Sites", "Before and after an event"
_BASELINE_DAYS = 56
"""The longest baseline of an event: days before it, without other events at the same cameras."""


def draw_page(view: View) -> None:
    """Draw the page."""
    page.show_header(view, "Compare")
    kind = st.segmented_control(
        "What to compare",
        [PERIODS, CAMERAS, SITES, EVENT],
        default=PERIODS,
        required=True,
        key="kind",
        bind="query-params",
        label_visibility="collapsed",
    )
    draw = {PERIODS: draw_periods, CAMERAS: draw_cameras, SITES: draw_sites, EVENT: draw_event}
    draw[kind or PERIODS](view)


def draw_periods(view: View) -> None:
    """The selected period against an earlier one on the same weekdays."""
    timeline = queries.ask(view.settings, view.selection).timeline()
    days = view.selection.shift_days(timeline.now, timeline.zone)
    if days is None:
        st.info("Choose in the bar what to compare with.")
        return
    cameras = view.selection.cameras
    found = queries.read_comparison(
        view.settings,
        view.actor,
        Chosen(timeline, cameras),
        Chosen(shifted(timeline, days), cameras),
        matched=False,
    )
    show(view, found, "the selected period", comparison_text(days))


def draw_cameras(view: View) -> None:
    """Cameras against other cameras in the selected period."""
    names = components.camera_names(view.status.cameras)
    sides = _pick_sides(list(names), names)
    if sides:
        _show_sides(view, sides)


def draw_sites(view: View) -> None:
    """Sites against other sites in the selected period."""
    sites = sorted({camera.site for camera in view.status.cameras if camera.site})
    sides = _pick_sides(sites, {site: site for site in sites})
    if sides:
        cameras = [
            frozenset(each.camera_id for each in view.status.cameras if each.site in side) for side in sides
        ]
        _show_sides(view, cameras, [", ".join(sorted(side)) for side in sides])


def draw_event(view: View) -> None:
    """The days of an event against a baseline before it, matched by weekday and hour."""
    zone = open_timezone(view.settings.timezone)
    events = [event for event in view.status.events if event.start < view.status.now]
    if not events:
        st.info("No event has started yet. The page Events adds one.")
        return
    by_id = {event.id: event for event in events}
    chosen = st.selectbox(
        "Event",
        list(by_id),
        format_func=lambda event_id: by_id[event_id].name,
        key="event",
        bind="query-params",
    )
    event = by_id.get(chosen or events[0].id, events[0])
    last = min(date_of(event.end - 1, zone), date_of(view.status.now, zone))
    first = max(date_of(event.start, zone), last - timedelta(days=MOST_DAYS - 1))
    baseline_end = first - timedelta(days=1)
    baseline_start = max(first - timedelta(days=_BASELINE_DAYS), _last_end(view, event, events))
    if baseline_start > baseline_end:
        st.info("Another event ended directly before this one, so there is no baseline.")
        return
    now, cameras = view.status.now, event.cameras or view.selection.cameras
    found = queries.read_comparison(
        view.settings,
        view.actor,
        Chosen(day_timeline(first, last, Unit.DAY, now, zone), cameras),
        Chosen(day_timeline(baseline_start, baseline_end, Unit.DAY, now, zone), cameras),
        matched=True,
    )
    show(view, found, f"{event.name}, {first} to {last}", f"baseline {baseline_start} to {baseline_end}")


def _last_end(view: View, event: Event, events: Sequence[Event]) -> date:
    """The first day after the last earlier event that concerns the same cameras."""
    zone = open_timezone(view.settings.timezone)
    ends = [
        date_of(other.end, zone)
        for other in events
        if other.id != event.id and other.end <= event.start and other.concerns(event.cameras or None)
    ]
    return max(ends, default=date_of(event.start, zone) - timedelta(days=_BASELINE_DAYS))


def _pick_sides(options: list[str], names: dict[str, str]) -> list[frozenset[str]] | None:
    """Two groups of options, None where they are not chosen yet."""
    if len(options) < 2:
        st.info("There is only one to choose from, so there is nothing to compare.")
        return None
    left, right = st.columns(2)
    with left:
        a = st.multiselect(
            "A", options, default=options[:1], format_func=names.__getitem__, key="a", bind="query-params"
        )
    with right:
        b = st.multiselect(
            "B", options, default=options[1:2], format_func=names.__getitem__, key="b", bind="query-params"
        )
    if not a or not b:
        st.info("Choose what to compare: A and B.")
        return None
    return [frozenset(a), frozenset(b)]


def _show_sides(view: View, cameras: Sequence[frozenset[str]], names: Sequence[str] = ()) -> None:
    timeline = queries.ask(view.settings, view.selection).timeline()
    known = components.camera_names(view.status.cameras)
    labels = names or [", ".join(sorted(known.get(each, each) for each in side)) for side in cameras]
    found = queries.read_comparison(
        view.settings, view.actor, Chosen(timeline, cameras[0]), Chosen(timeline, cameras[1]), matched=False
    )
    show(view, found, labels[0], labels[1])


def show(view: View, found: Comparison, a: str, b: str) -> None:
    """The comparison as a table, with what both sides consist of."""
    with st.container(border=True):
        help_text = f"{definitions.COMPARISON} {definitions.UPLIFT if found.matched else ''}"
        matched = "matched by weekday and hour" if found.matched else "not matched"
        components.show_heading("A against B", f"{matched}; p-values adjusted by Holm's method", help_text)
        st.html(comparison_table.sides(found, a, b))
        st.html(comparison_table.table(found))


page.show(draw_page, refresh=False)
