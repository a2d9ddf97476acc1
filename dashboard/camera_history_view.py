"""The history of one camera in the selected period."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from common.access import AccessDenied
from common.clock import wall_clock_us
from common.timezones import open_timezone
from dashboard import camera_control, components, formats, notices
from dashboard.camera_history_charts import bars_over_time
from dashboard.page import View
from dashboard.quality_tables import html_table
from dashboard.scales import SCALES, scale_of
from storage.errors import StorageError
from storage.figures.timeline import Unit, WrongPeriod


def draw_history(view: View, camera_id: str) -> None:
    """Uptime, rate and delay over the period of the bar, and what became of the pictures."""
    zone = open_timezone(view.settings.timezone)
    try:
        timeline = view.selection.timeline(wall_clock_us(), zone)
        history = camera_control.read_camera_history(view.settings, view.actor, camera_id, timeline)
    except WrongPeriod as error:
        notices.show_wrong_period(str(error))
        return
    except (StorageError, AccessDenied) as error:
        st.error(formats.escape_markdown(str(error)), icon=":material/error:")
        return
    if not history.captured:
        st.info("Nothing was captured in this period.", icon=":material/videocam_off:")
        return
    whole = history.whole
    with st.container(horizontal=True, key="history-tiles"):
        st.metric("Uptime", formats.NO_VALUE if whole.uptime is None else formats.percent(whole.uptime))
        st.metric("Pictures a second", formats.NO_VALUE if whole.fps is None else f"{whole.fps:.1f}")
        st.metric("Mean delay", formats.NO_VALUE if whole.lag_s is None else f"{whole.lag_s * 1000:.0f} ms")
    scale = SCALES[Unit.DAY] if timeline.unit is Unit.WEEK else scale_of(timeline)
    for title, unit, about, get in (
        ("Uptime", "%", "The watched part of the scheduled time", lambda slot: slot.uptime),
        ("Pictures a second", "/ s", "Captured pictures per second of watched time", lambda slot: slot.fps),
        (
            "Delay",
            "s",
            "Mean age of the analysed pictures at the end of their analysis",
            lambda slot: slot.lag_s,
        ),
    ):
        st.markdown(f"**{title}** &nbsp; :small[:gray[{about.lower()}]]")
        chart = bars_over_time(history.slots, zone, scale, unit, get)
        components.show_chart(chart, f"{title} of the camera by {scale.slot_name}: {about}.")
    st.markdown("**Pictures** &nbsp; :small[:gray[what became of the captured ones]]")
    rows = _rows(history.captured, history.outcomes, history.drops)
    st.html(html_table(("Outcome", "Pictures", "Share"), rows))


def _rows(captured: int, outcomes: Mapping[str, int], drops: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """Rows of all outcomes; dropped pictures by reason."""
    names = {"stale": "too old to be analysed", "failed": "unreadable", "superseded": "replaced capture"}
    parts = {names.get(name, name): count for name, count in outcomes.items() if name != "dropped"}
    parts |= {f"dropped: {reason}": count for reason, count in drops.items()}
    return [
        (escape(name), formats.count(count), formats.percent(count / captured))
        for name, count in parts.items()
        if count
    ]
