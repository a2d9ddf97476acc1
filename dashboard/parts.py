"""The pieces that pages are put together from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st

from dashboard import charts, reading, theme, words
from storage import definitions
from storage.trends import CameraStatus, Condition

STALE_US = 90 * 10**6
"""An age of the newest result that no running camera reaches, given how exactly it is known."""


def heading(title: str, what: str, help_text: str) -> None:
    """The title of a card with what is drawn and, behind a question mark, how it is defined."""
    st.markdown(f"**{title}** &nbsp; :small[:gray[{what}]]", help=help_text)


def draw(chart: charts.Chart, what: str) -> None:
    """A chart; `what` it shows is for those who cannot see it."""
    st.vega_lite_chart(chart.vega_lite(), alt=what, width="stretch")


def tile(label: str, value: str | None, detail: str, help_text: str) -> None:
    """One figure of the whole period, with what belongs to it in small print."""
    st.metric(
        label,
        value if value is not None else words.NOTHING,
        delta=detail or None,
        delta_color="off",
        delta_arrow="off",
        help=help_text,
        border=True,
        height="stretch",
    )


def freshness(status: reading.Status) -> None:
    """How old the newest result is."""
    if status.newest_result is None:
        return
    age = status.now - status.newest_result
    live = age < STALE_US
    text = f"Live · {words.age(age)}" if live else f"Newest result {words.age(age)} ago"
    colour = theme.css(theme.ACCENT if live else theme.CAUTION)
    dot = f'<span class="dot" style="color:{colour}"></span>'
    about = escape(definitions.FRESHNESS)
    st.html(f'<div class="mien freshness" title="{about}">{dot}{text}</div>', width="content")


def alarm(cameras: Sequence[CameraStatus]) -> None:
    """Says that cameras are down, and leads to where it says why."""
    down = [camera for camera in cameras if camera.condition.down]
    if not down:
        return
    expected = [camera for camera in cameras if camera.condition.expected]
    if len(down) == len(expected) and all(camera.condition is Condition.SILENT for camera in down):
        text = "Nothing is being recorded: `mien run` is not running."
    elif len(down) == 1:
        text = f"**{words.plain(down[0].name)}** is down: {words.plain(down[0].reason)}"
    else:
        text = f"**{len(down)} of {len(expected)} cameras** are down"
    with st.container(horizontal=True, vertical_alignment="center", key="alarm"):
        st.markdown(f":material/warning: {text}")
        st.page_link(
            "app_pages/cameras.py",
            label="See cameras",
            icon=":material/arrow_forward:",
            icon_position="right",
        )


def names(cameras: Sequence[CameraStatus]) -> dict[str, str]:
    """The names of cameras by id, with the id where two have the same name."""
    often = Counter(camera.name for camera in cameras)
    return {
        camera.camera_id: camera.name if often[camera.name] == 1 else f"{camera.name} ({camera.camera_id})"
        for camera in cameras
    }
