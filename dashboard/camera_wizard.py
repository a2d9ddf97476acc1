"""The wizard that adds a camera: name, source, test with a preview, purpose and notice, save."""

from __future__ import annotations

from datetime import date

import streamlit as st

from common.access import AccessDenied
from dashboard import camera_control
from dashboard.camera_control import CameraTest, NewCamera, TestFailed
from dashboard.camera_panels import NAME_LENGTH, announce, run_test, show_problem, show_test
from dashboard.page import View
from storage.errors import StorageError
from storage.tables import PURPOSE_LENGTH

_OPEN, _TESTED = "add-open", "add-tested"
_FIELDS = ("name", "site", "zone", "source", "purpose", "notice", "fps", "expression", "gender", "untested")


def is_open() -> bool:
    """Whether a camera is being added."""
    return bool(st.session_state.get(_OPEN))


def open_wizard() -> None:
    """Begin with empty fields."""
    _forget()
    st.session_state[_OPEN] = True


def draw(view: View) -> None:
    """Draw the steps that can be done; each shows the next one."""
    with st.container(border=True, key="add-camera"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("#### Add a camera", width="content")
            st.space("stretch")
            st.button("Cancel", on_click=_forget, icon=":material/close:")
        name, site, zone = _ask_name()
        if not name:
            return
        source, tested = _ask_source(view)
        if tested:
            _ask_rest(view, NewCamera(name, source, site, zone))


def _ask_name() -> tuple[str, str, str]:
    st.markdown("**1. Name and place**")
    columns = st.columns(3)
    labels = {"name": "Name of the camera", "site": "Site of the camera", "zone": "Zone of the camera"}
    name, site, zone = (
        column.text_input(label, key=f"add-{field}", max_chars=NAME_LENGTH).strip()
        for column, (field, label) in zip(columns, labels.items(), strict=True)
    )
    return name, site, zone


def _ask_source(view: View) -> tuple[str, bool]:
    """The source, and whether it was tested, or is to be saved without."""
    st.markdown("**2. Source**")
    source = st.text_input(
        "Address of the camera",
        key="add-source",
        placeholder="rtsp://viewer:${MIEN_CAMERA_DOOR}@192.168.1.10/stream1",
        help="An address with rtsp, rtsps, http or https, or demo://entrance for a simulated camera. Secrets "
        "are written as ${MIEN_CAMERA_...}: the environment of the process that captures has their values.",
    ).strip()
    if st.button("Test the camera", disabled=not source, icon=":material/network_check:"):
        st.session_state[_TESTED] = source, run_test(view, source=source)
    tested_source, result = st.session_state.get(_TESTED, ("", None))
    if not source or tested_source != source or result is None:
        st.caption("Test the camera to continue. Nothing is saved by a test.")
        return source, False
    show_test(result)
    if isinstance(result, CameraTest):
        return source, True
    return source, st.checkbox("The camera is not connected yet: save it without a test", key="add-untested")


def _ask_rest(view: View, new: NewCamera) -> None:
    st.markdown("**3. Purpose and notice**")
    left, right = st.columns(2)
    purpose = left.text_input(
        "Purpose",
        key="add-purpose",
        max_chars=PURPOSE_LENGTH,
        placeholder="such as: trends of visitors at the entrance",
        help="Inferring emotions of people at work or in education is forbidden in the EU: mask tills and "
        "staff areas.",
    ).strip()
    notice = right.date_input("Visitors are informed since", None, key="add-notice")
    with left:
        expression = st.toggle("Estimate expressions", True, key="add-expression")
        gender = st.toggle("Estimate perceived gender", True, key="add-gender")
    fps = right.number_input(
        "Pictures a second",
        min_value=0.1,
        max_value=120.0,
        value=None,
        placeholder=f"{view.settings.fps:g}, the setting fps",
        key="add-fps",
    )
    if not st.button("Save the camera", type="primary", icon=":material/add:"):
        return
    if not purpose:
        st.error("Say what the camera is for.", icon=":material/error:")
        return
    chosen = notice.isoformat() if isinstance(notice, date) else ""
    complete = NewCamera(new.name, new.source, new.site, new.zone, fps, purpose, chosen, expression, gender)
    try:
        camera_id = camera_control.add_camera(view.settings, view.actor, complete)
    except (StorageError, AccessDenied, TestFailed) as error:
        show_problem(error)
        return
    _forget()
    announce(f"{new.name} is added as {camera_id}; it is captured within seconds")
    st.rerun()


def _forget() -> None:
    for name in (_OPEN, _TESTED, *(f"add-{field}" for field in _FIELDS)):
        st.session_state.pop(name, None)
