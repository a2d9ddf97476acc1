"""The components of which pages are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st

from dashboard import charts, formats, queries, theme
from storage import definitions
from storage.camera_status import CameraStatus, Condition
from storage.figures.groups import State
from storage.figures.trend import Slot
from storage.newest_result import is_future

STALE_US = 90 * 10**6
"""The age of the newest result from which on no camera can be running: the age is known to a minute."""


def show_heading(title: str, subtitle: str, help_text: str) -> None:
    """The title and subtitle of a card, with the definition of its figures as help text."""
    st.markdown(f"**{title}** &nbsp; :small[:gray[{subtitle}]]", help=help_text)


def legend(slots: Sequence[Slot]) -> str:
    """The meaning of the marks for missing figures, where there are any."""
    states = {slot.figures.state for slot in slots if slot.figures.coverage is not None}
    suppressed = " · dotted: too few to show" if State.SUPPRESSED in states else ""
    return suppressed + (" · grey: not observed" if State.UNOBSERVED in states else "")


def show_series(names: Sequence[str]) -> None:
    """The colours of series with their names, in the order in which they are stacked."""
    items = "".join(
        f'<li><span class="square" style="background:{theme.css_colour(name)}"></span>{escape(name)}</li>'
        for name in names
    )
    st.html(f'<ul class="mien series">{items}</ul>')


def show_chart(chart: charts.Chart, alt: str) -> None:
    """A chart; `alt` describes it to viewers who cannot see it."""
    st.vega_lite_chart(chart.vega_lite(), alt=alt, width="stretch")


def show_freshness(status: queries.Status) -> None:
    """The age of the newest result."""
    if status.newest_result is None:
        return
    text, live = describe_freshness(status.newest_result, status.now)
    colour = theme.css_colour(theme.ACCENT if live else theme.CAUTION)
    dot = f'<span class="dot" style="color:{colour}"></span>'
    about = escape(definitions.FRESHNESS)
    st.html(f'<div class="mien freshness" title="{about}">{dot}{text}</div>', width="content")


def describe_freshness(newest_us: int, now_us: int) -> tuple[str, bool]:
    """The age of the newest result in words, and whether it is live; a result of the future never is."""
    age = now_us - newest_us
    if is_future(newest_us, now_us):
        return f"Newest result {formats.duration(-age)} in the future: a clock is wrong", False
    if age < STALE_US:
        return f"Live · {formats.duration(max(age, 0))}", True
    return f"Newest result {formats.duration(age)} ago", False


def show_alarm(cameras: Sequence[CameraStatus], *, link: bool) -> None:
    """A warning while cameras are down, with a `link` to the page that shows why."""
    down = [camera for camera in cameras if camera.condition.down]
    if not down:
        return
    expected = [camera for camera in cameras if camera.condition.expected]
    if len(down) == len(expected) and all(camera.condition is Condition.NOT_RUNNING for camera in down):
        text = "Nothing is being recorded: neither `mien run` nor `mien ingest` is running."
    elif len(down) == 1:
        name, reason = formats.as_plain_text(down[0].name), formats.escape_markdown(down[0].reason)
        text = f"**{name}** is down: {reason}"
    else:
        text = f"**{len(down)} of {len(expected)} cameras** are down"
    with st.container(horizontal=True, vertical_alignment="center", key="alarm"):
        st.markdown(f":material/warning: {text}")
        if link:
            st.page_link(
                "app_pages/cameras.py",
                label="See cameras",
                icon=":material/arrow_forward:",
                icon_position="right",
            )


def camera_names(cameras: Sequence[CameraStatus]) -> dict[str, str]:
    """The names of cameras by id; where two have the same name, the id is a part of it."""
    uses = Counter(camera.name for camera in cameras)
    return {
        camera.camera_id: camera.name if uses[camera.name] == 1 else f"{camera.name} ({camera.camera_id})"
        for camera in cameras
    }
