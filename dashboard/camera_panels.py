"""The panels of one camera for operators: details, schedule, estimates, pause, removal, and a test."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from common.access import AccessDenied
from common.redaction import redact_source
from dashboard import camera_control, formats
from dashboard.camera_control import CameraTest, TestFailed
from dashboard.page import View
from storage.errors import StorageError
from storage.open_hours import DAYS, format_open_hours, parse_open_hours
from storage.registry import CameraRegistry, CameraRow
from storage.tables import PURPOSE_LENGTH

_DONE = "camera-done"
_SHOWN_S = 10.0
"""How long is said what was done."""
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NAME_LENGTH = 200


def announce(text: str) -> None:
    """Let the next drawings of the page say what was done."""
    st.session_state[_DONE] = text, time.monotonic()


def show_announcement() -> None:
    """Say what was done, for some seconds: a drawing that the next one replaces at once is never seen.

    A toast moves nothing on the page, where a mask may be being drawn.
    """
    text, since = st.session_state.get(_DONE, ("", 0.0))
    if text and time.monotonic() - since < _SHOWN_S:
        st.toast(formats.escape_markdown(text), icon=":material/check:", duration=int(_SHOWN_S))


def attempt(view: View, done: str, act: Callable[[CameraRegistry], None]) -> None:
    """Change the registry, and draw the page again; or say why it was refused."""
    try:
        camera_control.change(view.settings, act)
    except (StorageError, AccessDenied) as error:
        st.session_state.pop(_DONE, None)
        show_problem(error)
        return
    announce(done)
    st.rerun()


def show_problem(error: Exception) -> None:
    """Say why something was refused."""
    st.error(formats.escape_markdown(str(error)), icon=":material/error:")


def draw_details(view: View, camera: CameraRow) -> None:
    """Name, place, source, rate, purpose and notice."""
    shown_source = redact_source(camera.source)
    with st.form(f"details-{camera.id}"):
        left, right = st.columns(2)
        name = left.text_input("Name", camera.name, max_chars=NAME_LENGTH)
        site = left.text_input("Site", camera.site, max_chars=NAME_LENGTH)
        zone = left.text_input("Zone", camera.zone, max_chars=NAME_LENGTH)
        purpose = right.text_input("Purpose", camera.purpose, max_chars=PURPOSE_LENGTH)
        notice = right.date_input("Visitors are informed since", _date(camera.notice_at))
        fps = right.number_input(
            "Pictures a second",
            min_value=0.1,
            max_value=120.0,
            value=camera.fps,
            placeholder=f"{view.settings.fps:g}, the setting fps",
        )
        source = st.text_input(
            "Address", shown_source, help="Write user and password as ${MIEN_CAMERA_...}, never as they are."
        )
        replaces = st.checkbox(
            "A new address takes the place of the former camera: its visits continue under this name"
        )
        if not st.form_submit_button("Save", type="primary"):
            return
    changes: dict[str, Any] = {"name": name.strip() or camera.id, "site": site.strip(), "zone": zone.strip()}
    changes |= {"purpose": purpose.strip(), "fps": fps, "notice_at": _iso(notice)}
    if source.strip() != shown_source:
        try:
            changes["source"] = camera_control.judge_source(view.settings, view.actor, source)
        except (TestFailed, AccessDenied) as error:
            show_problem(error)
            return
    attempt(
        view,
        f"{changes['name']}: the details are saved",
        lambda registry: registry.edit(view.actor, camera.id, changes, continue_history=replaces),
    )


def draw_schedule(view: View, camera: CameraRow) -> None:
    """The opening hours by weekday."""
    week = parse_open_hours(camera.open_hours)
    st.caption(
        "Outside of these hours nothing is captured, and the camera counts as not scheduled. Several times "
        "of a day are separated by commas, such as 09:00-12:30, 14:00-18:00. Time zone: "
        f"{view.settings.timezone}."
    )
    always = st.toggle("Always open", not camera.open_hours, key=f"always-{camera.id}")
    if not always:
        week = week if camera.open_hours else tuple(((9 * 60, 20 * 60),) for _ in DAYS)
    with st.form(f"schedule-{camera.id}"):
        texts = {}
        if not always:
            columns = st.columns(2)
            for number, (day, name) in enumerate(zip(DAYS, _DAY_NAMES, strict=True)):
                hours = format_open_hours((week[number], *((),) * 6)).replace(f"{DAYS[0]} ", "")
                texts[day] = columns[number % 2].text_input(
                    name, hours, placeholder="closed", key=f"hours-{camera.id}-{day}"
                )
        if not st.form_submit_button("Save", type="primary"):
            return
    try:
        hours = "" if always else join_hours(texts)
    except StorageError as error:
        show_problem(error)
        return
    attempt(
        view,
        f"{camera.name}: the schedule is saved",
        lambda registry: registry.set_schedule(view.actor, camera.id, hours),
    )


def join_hours(texts: dict[str, str]) -> str:
    """The text of a week from the texts of its days; raises StorageError."""
    parts = [
        f"{day} {part.strip()}" for day, text in texts.items() for part in text.split(",") if part.strip()
    ]
    if not parts:
        raise StorageError("closed on every day: pause the camera instead")
    return format_open_hours(parse_open_hours(", ".join(parts)))


def draw_switches(view: View, camera: CameraRow) -> None:
    """What is estimated of the visitors."""
    st.caption(
        "What is off is not computed and not stored. Visits are counted with their duration all the same, "
        "and are left out of the mix."
    )
    with st.form(f"switches-{camera.id}"):
        expression = st.toggle("Estimate expressions", camera.read_expression)
        gender = st.toggle("Estimate perceived gender", camera.read_gender)
        if not st.form_submit_button("Save", type="primary"):
            return
    attempt(
        view,
        f"{camera.name}: the switches are saved",
        lambda registry: registry.set_switches(view.actor, camera.id, expression=expression, gender=gender),
    )


def draw_pause(view: View, camera: CameraRow) -> None:
    """Pause with a reason, or resume."""
    if not camera.enabled:
        st.markdown(f"Paused: {formats.as_plain_text(camera.pause_reason or 'no reason given')}")
        if st.button("Resume", type="primary", icon=":material/play_arrow:"):
            attempt(
                view,
                f"{camera.name} is resumed",
                lambda registry: registry.resume(view.actor, camera.id),
            )
        return
    with st.form(f"pause-{camera.id}"):
        reason = st.text_input(
            "Reason", max_chars=NAME_LENGTH, placeholder="shown to everybody, such as repainting"
        )
        if not st.form_submit_button("Pause", type="primary", icon=":material/pause:"):
            return
    if not reason.strip():
        st.error("Give a reason, so that others know why nothing is captured.", icon=":material/error:")
        return
    attempt(
        view,
        f"{camera.name} is paused",
        lambda registry: registry.pause(view.actor, camera.id, reason.strip()),
    )


def draw_removal(view: View, camera: CameraRow) -> None:
    """Remove a camera, after a second question."""
    asked = f"remove-{camera.id}"
    st.caption("The camera is not captured any more. Its visits stay, as long as the settings keep them.")
    if not st.session_state.get(asked):
        if st.button("Remove...", icon=":material/delete:"):
            st.session_state[asked] = True
            st.rerun(scope="fragment")
        return
    st.warning(f"Remove {formats.as_plain_text(camera.name)}?", icon=":material/warning:")
    with st.container(horizontal=True):
        if st.button("Remove it", type="primary"):
            del st.session_state[asked]
            attempt(
                view,
                f"{camera.name} is removed",
                lambda registry: registry.remove(view.actor, camera.id),
            )
        if st.button("Keep it"):
            del st.session_state[asked]
            st.rerun(scope="fragment")


def draw_test(view: View, camera: CameraRow) -> None:
    """Read the camera for some seconds and say what it is good for; nothing is saved."""
    st.caption("Reads the camera for some seconds and stores nothing. A webcam cannot be read twice at once.")
    key = f"test-{camera.id}"
    if st.button("Test", type="primary", icon=":material/network_check:"):
        st.session_state[key] = run_test(view, camera_id=camera.id)
    if (result := st.session_state.get(key)) is not None:
        show_test(result)


def run_test(view: View, *, source: str = "", camera_id: str = "") -> CameraTest | str:
    """Test a source or a registered camera; the reason where there is no result."""
    with st.spinner("The camera is read for some seconds"):
        try:
            return camera_control.check_camera(view.settings, view.actor, source=source, camera_id=camera_id)
        except (TestFailed, AccessDenied, StorageError) as error:
            return str(error)


def show_test(result: CameraTest | str) -> None:
    """The verdict of a test with its reasons and the preview, or why there is none."""
    if isinstance(result, str):
        st.error(formats.escape_markdown(result), icon=":material/videocam_off:")
        return
    fine = all(each.fine for each in result.findings)
    icon = ":material/check_circle:" if fine else ":material/info:"
    st.markdown(f"{icon} **{formats.as_plain_text(formats.capitalized(result.verdict))}**")
    marks = {True: ":material/check:", False: ":material/close:"}
    lines = "  \n".join(f"{marks[each.fine]} {formats.as_plain_text(each.text)}" for each in result.findings)
    if result.preview is None:
        st.markdown(lines)
        return
    left, right = st.columns(2)
    left.image(
        result.preview, width="stretch", alt="Picture of the camera; faces that are recognised are blurred."
    )
    right.markdown(lines)


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _iso(chosen: object) -> str:
    return chosen.isoformat() if isinstance(chosen, date) else ""
