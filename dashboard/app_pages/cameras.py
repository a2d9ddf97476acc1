"""Cameras: are they fine, and if not, why?"""

from __future__ import annotations

import streamlit as st

from dashboard import notices, parts, reading
from dashboard.camera_list import camera_list, summary
from mien.settings import Settings


def page(settings: Settings) -> None:
    """The whole page, drawn anew at every refresh."""
    try:
        status = reading.status(settings)
    except reading.DatabaseAwayError as error:
        notices.waiting_for_database(str(error))
        return
    if not status.cameras:
        notices.no_data_yet(cameras=0)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Cameras** &nbsp; :small[:gray[{summary(status.cameras)}]]", width="content")
        st.space("stretch")
        parts.freshness(status)
    with st.container(border=True):
        st.html(camera_list(status.cameras, status.now, settings.fps))


_settings = Settings()
st.fragment(run_every=_settings.refresh_seconds)(page)(_settings)
