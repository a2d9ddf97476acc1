"""The page Cameras: the state of each camera and the reason for it."""

from __future__ import annotations

import streamlit as st

from dashboard import notices, page
from dashboard.camera_list import camera_list, summary
from dashboard.page import View


def draw_page(view: View) -> None:
    """Draw the page; called again at every refresh."""
    chosen = view.selection.cameras
    cameras = [each for each in view.status.cameras if chosen is None or each.camera_id in chosen]
    if not cameras:
        notices.show_no_data(cameras=0)
        return
    page.show_header(view, "Cameras")
    st.caption(summary(cameras))
    with st.container(border=True):
        st.html(camera_list(cameras, view.status.now, view.settings.fps))


page.show(draw_page, needs_results=False)
