"""The page Live: the newest frame of one camera with blurred faces, and what the tracker follows."""

from __future__ import annotations

import streamlit as st

from common.access import Role
from dashboard import components, formats, live_view, notices, page
from dashboard.live_pictures import LiveAnswer, Unblurred, open_unblurred, read_live
from dashboard.page import View
from storage.camera_status import CameraStatus, Condition

EVERY_S = 0.7
# Keys of the session: the process that answered last, and the permission to see faces.
_PROCESS, _UNBLURRED = "live-process", "live-unblurred"


def draw_page(view: View) -> None:
    """Draw the page; called again about every second."""
    chosen = view.selection.cameras
    cameras = [each for each in view.status.cameras if chosen is None or each.camera_id in chosen]
    if not cameras:
        notices.show_no_data(cameras=0)
        return
    page.show_header(view, "Live")
    with st.container(horizontal=True, vertical_alignment="center"):
        camera = _choose(cameras)
        shows_faces = _ask_for_faces(view)
    hidden = "Faces are visible" if shows_faces else "Faces that are recognised as such are blurred"
    st.caption(f"{hidden}. The picture exists in memory only, and only while somebody watches.")
    if camera.condition in {Condition.ONLINE, Condition.CONNECTING}:
        unblurred = _permission(view, camera.camera_id) if shows_faces else None
        with st.container(key="watched"):
            _draw_live(view, camera, unblurred)
    else:
        notices.show_not_live(camera.condition, camera.reason)


def _choose(cameras: list[CameraStatus]) -> CameraStatus:
    names = components.camera_names(cameras)
    by_name = {names[camera.camera_id]: camera for camera in cameras}
    named = st.selectbox(
        "Camera to watch",
        list(by_name),
        key="watch",
        bind="query-params",
        width=260,
        label_visibility="collapsed",
    )
    return by_name.get(named or "", cameras[0])


def _ask_for_faces(view: View) -> bool:
    """Whether the viewer wants to see faces; asked only where that is allowed."""
    if view.actor.role is not Role.OPERATOR or not view.settings.live_unblurred:
        return False
    return st.toggle("Show faces", help="It is recorded in the audit log.", key="live-faces")


def _permission(view: View, camera_id: str) -> Unblurred:
    """The permission to see faces, recorded in the audit log once for each session of watching."""
    before: Unblurred | None = st.session_state.get(_UNBLURRED)
    if before is None or not before.allows(view.actor, camera_id):
        before = open_unblurred(view.settings, view.actor, camera_id)
        st.session_state[_UNBLURRED] = before
    return before


def _draw_live(view: View, camera: CameraStatus, unblurred: Unblurred | None) -> None:
    answer = read_live(view.settings, view.actor, camera.camera_id, st.session_state.get(_PROCESS), unblurred)
    st.session_state[_PROCESS] = answer.analysed_by
    if answer.picture is None:
        _explain_missing(answer)
        return
    assert answer.analysed_by
    st.html(live_view.frame_facts(answer.picture, answer.analysed_by.name))
    with st.container(key="live"):
        faces = "faces are blurred" if answer.picture.blurred else "faces are visible"
        st.image(
            answer.picture.url,
            width="stretch",
            alt=f"Live picture of {camera.name}, {faces}. The table below it lists what is followed.",
        )
    st.html(live_view.track_table(answer.picture.tracks))
    _show_problems(answer)


def _explain_missing(answer: LiveAnswer) -> None:
    if answer.analysed_by:
        notices.show_no_frame("The first frame follows within seconds.")
    elif answer.problems:
        notices.show_unreachable(answer.problems)
    elif answer.processes:
        notices.show_no_frame("No process that analyses has got a frame of this camera yet.")
    else:
        notices.show_nobody_analyses()


def _show_problems(answer: LiveAnswer) -> None:
    for problem in answer.problems:
        st.caption(f":material/warning: {formats.escape_markdown(problem)}")


page.show(draw_page, needs_results=False, every_s=EVERY_S)
