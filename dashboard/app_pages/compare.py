"""The page Compare: A against B, with intervals and the verdict in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from common.timezones import open_timezone
from dashboard import comparison_table, components, formats, page, queries
from dashboard.event_baseline import BASELINE_DAYS, compared_days, find_baseline, overlapping_events
from dashboard.page import View
from dashboard.selection import comparison_text
from dashboard.verdicts import notes
from storage import definitions
from storage.events import Event
from storage.figures.comparison import Chosen, Comparison
from storage.figures.timeline import Unit, day_timeline, shifted
from storage.local_time import date_of

PERIODS, CAMERAS, SITES, EVENT = "Periods", "Cameras", "Sites", "Before and after an event"
_MOST_NAMES = 6
"""The greatest number of cameras that are named one by one."""


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
    _draw_event(view, by_id.get(chosen or events[0].id, events[0]))


def _draw_event(view: View, event: Event) -> None:
    zone, now = open_timezone(view.settings.timezone), view.status.now
    names = components.camera_names(view.status.cameras)
    cameras = _cameras_of(event, view)
    if cameras is not None and not cameras:
        places = _list_names(event.cameras, names)
        st.info(formats.as_plain_text(f"The event is at {places}: choose one of these cameras in the bar."))
        return
    days = first, last = compared_days(event, now, zone)
    baseline = find_baseline(event, view.status.events, cameras, zone)
    if baseline is None:
        st.info(
            f"There is no baseline: other events at these cameras take all of the {BASELINE_DAYS} days "
            "before this event."
        )
        return
    for other in overlapping_events(event, view.status.events, cameras, days, zone):
        other_days = f"{date_of(other.start, zone)} to {date_of(other.end - 1, zone)}"
        st.warning(
            formats.as_plain_text(
                f"{other.name}, {other_days}, overlaps this event: a difference may be an effect of either."
            ),
            icon=":material/warning:",
        )
    found = queries.read_comparison(
        view.settings,
        view.actor,
        Chosen(day_timeline(first, last, Unit.DAY, now, zone), cameras),
        Chosen(day_timeline(*baseline, Unit.DAY, now, zone), cameras),
        matched=True,
    )
    place = "" if cameras is None else f", at {_list_names(cameras, names)}"
    show(
        view,
        found,
        f"{event.name}, {first} to {last}{place}",
        f"baseline {baseline[0]} to {baseline[1]}{place}",
    )


def _cameras_of(event: Event, view: View) -> frozenset[str] | None:
    """The cameras of an event that are selected, None for all."""
    selected = view.selection.cameras
    if not event.cameras:
        return selected
    return event.cameras if selected is None else event.cameras & selected


def _list_names(cameras: frozenset[str], names: Mapping[str, str]) -> str:
    if len(cameras) > _MOST_NAMES:
        return f"{len(cameras)} cameras"
    return ", ".join(sorted(names.get(each, each) for each in cameras))


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
        if found.comparable:
            st.html(comparison_table.sides(found, a, b))
            st.html(comparison_table.table(found))
        for note in notes(found, components.camera_names(view.status.cameras)):
            st.caption(formats.as_plain_text(note))


page.show(draw_page, refresh=False)
