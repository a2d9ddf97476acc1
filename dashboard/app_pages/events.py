"""The page Events: what happened, when and where, so that changes can be compared with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import streamlit as st

from common.access import Actor
from common.timezones import open_timezone
from dashboard import components, formats, page, queries
from dashboard.database_change import make_change
from dashboard.page import View
from storage.engine import Database
from storage.events import NAME_LENGTH, Event, add_event, remove_event
from storage.local_time import date_of, day_start


def draw_page(view: View) -> None:
    """Draw the page; not refreshed by itself, so that a form keeps its entries."""
    page.show_header(view, "Events")
    draw_events(view)
    draw_form(view)


def draw_events(view: View) -> None:
    """The stored events, each with a button that removes it."""
    zone = open_timezone(view.settings.timezone)
    names = components.camera_names(view.status.cameras)
    if not view.status.events:
        st.info(
            "No events yet. Add a campaign, a new shelf or a closed road, and compare before and after it."
        )
    for event in view.status.events:
        first, last = date_of(event.start, zone), date_of(event.end - 1, zone)
        where = ", ".join(sorted(names.get(camera, camera) for camera in event.cameras)) or "all cameras"
        escaped = formats.as_plain_text(where)
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"**{formats.as_plain_text(event.name)}** &nbsp; "
                f":small[:gray[{first:%a %d %b %Y} to {last:%a %d %b %Y} · {escaped}]]",
                width="stretch",
            )
            removed = st.button("Remove", key=f"remove-{event.id}", icon=":material/delete:")
        if removed:
            _remove(view, event)


def draw_form(view: View) -> None:
    """The form that adds an event."""
    names = components.camera_names(view.status.cameras)
    with st.form("event", clear_on_submit=True):
        st.markdown("**Add an event**")
        name = st.text_input("Name", max_chars=NAME_LENGTH)
        today = date_of(view.status.now, open_timezone(view.settings.timezone))
        dates = st.date_input("First and last day", value=(today - timedelta(days=6), today))
        cameras = st.multiselect("Cameras", list(names), format_func=names.__getitem__, placeholder="All")
        if st.form_submit_button("Add", type="primary"):
            _add(view, name, dates, cameras)


def _add(view: View, name: str, dates: object, cameras: Sequence[str]) -> None:
    picked = [each for each in dates if isinstance(each, date)] if isinstance(dates, tuple | list) else []
    if len(picked) != 2:
        st.error("Choose the first and the last day.")
        return
    zone = open_timezone(view.settings.timezone)
    start, end = day_start(picked[0], zone), day_start(picked[1] + timedelta(days=1), zone)
    if not view.actor.reads_all_sites:
        cameras = cameras or [each.camera_id for each in view.status.cameras]
    _change(view, lambda database, actor: add_event(database, actor, name, start, end, cameras))


def _remove(view: View, event: Event) -> None:
    _change(view, lambda database, actor: remove_event(database, actor, event.id))


def _change(view: View, change: Callable[[Database, Actor], object]) -> None:
    """Change the events and draw the page again; or say why it was refused."""
    if make_change(view.settings, change):
        queries.forget_status()
        st.rerun()


page.show(draw_page, needs_results=False, refresh=False)
