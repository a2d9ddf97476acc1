"""The page Cameras: the state of each camera and the reason for it."""

from __future__ import annotations

import streamlit as st

from dashboard import components, notices, queries
from dashboard.camera_list import camera_list, summary
from mien.settings import Settings
from storage.errors import StorageError


def draw_page(settings: Settings) -> None:
    """Draw the page; called again at every refresh."""
    try:
        status = queries.read_status(settings)
    except StorageError as error:
        notices.show_database_unavailable(str(error))
        return
    if not status.cameras:
        notices.show_no_data(cameras=0)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Cameras** &nbsp; :small[:gray[{summary(status.cameras)}]]", width="content")
        st.space("stretch")
        components.show_freshness(status)
    with st.container(border=True):
        st.html(camera_list(status.cameras, status.now, settings.fps))


_settings = Settings()
st.fragment(run_every=_settings.refresh_seconds)(draw_page)(_settings)
