"""The page Cameras: the state of each camera and the reason for it; for operators, what can be changed."""

from __future__ import annotations

import streamlit as st

from common.access import AccessDenied, Role
from dashboard import (
    camera_control,
    camera_history_view,
    camera_masks,
    camera_panels,
    camera_wizard,
    components,
    formats,
    notices,
    page,
)
from dashboard.camera_list import camera_list, summary
from dashboard.page import View
from storage.errors import StorageError

_HISTORY = "History"
_PANELS = {
    "Details": camera_panels.draw_details,
    "Test": camera_panels.draw_test,
    "Masks": camera_masks.draw_masks,
    "Estimates": camera_panels.draw_switches,
    "Schedule": camera_panels.draw_schedule,
    "Pause": camera_panels.draw_pause,
    "Remove": camera_panels.draw_removal,
}


def draw_status(view: View) -> None:
    """Draw the state of the cameras; called again at every refresh."""
    chosen = view.selection.cameras
    cameras = [each for each in view.status.cameras if chosen is None or each.camera_id in chosen]
    if not cameras:
        notices.show_no_data(cameras=0)
        return
    page.show_header(view, "Cameras", link_to_cameras=False)
    st.caption(summary(cameras))
    with st.container(border=True):
        st.html(camera_list(cameras, view.status.now, view.settings.fps))


def draw_management(view: View) -> None:
    """Draw what can be done with cameras; not refreshed by itself, so that forms keep their entries."""
    is_operator = view.actor.role is Role.OPERATOR
    camera_panels.show_announcement()
    if is_operator and camera_wizard.is_open():
        camera_wizard.draw(view)
        return
    names = components.camera_names(view.status.cameras)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        camera_id = st.selectbox(
            "Camera",
            sorted(names, key=lambda each: names[each].casefold()),
            format_func=lambda each: names.get(each, each),
            key="manage",
            width=320,
            placeholder="No camera is registered",
        )
        if is_operator:
            st.button("Add a camera", icon=":material/add:", on_click=camera_wizard.open_wizard)
    if camera_id is None:
        return
    with st.container(border=True, key="manage-camera"):
        panels = [*_PANELS, _HISTORY] if is_operator else [_HISTORY]
        chosen = st.segmented_control(
            "Panel", panels, default=panels[0], required=True, label_visibility="collapsed"
        )
        if chosen == _HISTORY:
            camera_history_view.draw_history(view, camera_id)
            return
        _draw_panel(view, camera_id, chosen)


def _draw_panel(view: View, camera_id: str, chosen: str) -> None:
    try:
        camera = camera_control.read_details(view.settings, view.actor, camera_id)
    except (StorageError, AccessDenied) as error:
        st.warning(formats.escape_markdown(str(error)), icon=":material/videocam_off:")
        return
    _PANELS[chosen](view, camera)


page.show(draw_status, needs_results=False)
page.show(draw_management, needs_results=False, refresh=False, secondary=True)
