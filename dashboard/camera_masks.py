"""The panel Masks: shapes are drawn on a blurred picture of the camera, or entered as numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from common.masks import MaskError, Masks, covered_share, format_masks, make_masks, parse_masks
from dashboard import camera_control, formats
from dashboard.camera_control import CameraTest
from dashboard.camera_panels import attempt, show_problem
from dashboard.live_pictures import read_live
from dashboard.mask_editor import draw_editor
from dashboard.page import View
from storage.registry import CameraRow

_PERCENT = {"left": "Left, %", "top": "Top, %", "width": "Width, %", "height": "Height, %"}


def draw_masks(view: View, camera: CameraRow) -> None:
    """The picture with the masks, and what can be done with them; nothing changes before it is saved."""
    st.caption(
        "Masked areas are blanked when a picture is captured, before anything else sees it: they are in no "
        "frame and no preview. Cover tills, staff areas and screens."
    )
    draft = f"masks-{camera.id}"
    masks: Masks = st.session_state.get(draft, camera.masks)
    picture, text = _picture_of(view, camera)
    if text:
        st.info(formats.escape_markdown(text), icon=":material/image_not_supported:")
    if picture:
        alt = f"Picture of {camera.name}, {formats.counted(len(masks), 'mask')}"
        shape = draw_editor(picture, masks, camera.masks, alt, f"editor-{camera.id}")
        if shape:
            _add(draft, masks, shape)
    _offer_numbers(camera, draft, masks)
    _list_masks(draft, masks)
    _offer_text(camera, draft, masks)
    with st.container(horizontal=True):
        changed = masks != camera.masks
        if st.button("Save the masks", type="primary", disabled=not changed):
            st.session_state.pop(draft, None)
            attempt(
                view,
                f"{camera.name}: {formats.counted(len(masks), 'mask')} saved",
                lambda registry: registry.set_masks(view.actor, camera.id, masks),
            )
        if st.button("Discard the changes", disabled=not changed):
            st.session_state.pop(draft, None)
            st.rerun(scope="fragment")


def _picture_of(view: View, camera: CameraRow) -> tuple[bytes, str]:
    """The picture to draw on as JPEG, empty without one, and why there is none or a masked one."""
    key = f"picture-{camera.id}"
    if st.button("Load a picture", icon=":material/photo_camera:"):
        with st.spinner("The camera is read for some seconds"):
            st.session_state[key] = _load(view, camera)
    picture, text = st.session_state.get(key, (b"", ""))
    return picture, text


def _load(view: View, camera: CameraRow) -> tuple[bytes, str]:
    """A picture without masks by a test; of a camera that cannot be read twice the live picture with them."""
    try:
        result: CameraTest | None = camera_control.check_camera(
            view.settings, view.actor, camera_id=camera.id, masks=()
        )
    except camera_control.TestFailed as error:
        live = read_live(view.settings, view.actor, camera.id).picture
        if live is None:
            return b"", f"No picture: {error}"
        text = "This is the live picture, in which the masks that are in force are blank already."
        return camera_control.decode_picture(live.url), text
    return (result.preview_bytes, "") if result else (b"", "")


def _offer_numbers(camera: CameraRow, draft: str, masks: Masks) -> None:
    with st.expander("Enter an area as numbers"), st.form(f"area-form-{camera.id}", border=False):
        columns = st.columns(4)
        left, top, width, height = (
            column.number_input(label, 0.0, 100.0, 0.0 if name in ("left", "top") else 20.0, 1.0)
            for column, (name, label) in zip(columns, _PERCENT.items(), strict=True)
        )
        if st.form_submit_button("Mask this area"):
            _add(draft, masks, [left / 100, top / 100, width / 100, height / 100])


def _list_masks(draft: str, masks: Masks) -> None:
    if not masks:
        st.caption("No masks.")
        return
    st.caption(
        f"{formats.counted(len(masks), 'mask')}, {formats.percent(covered_share(masks))} of the picture"
    )
    for number, polygon in enumerate(masks, 1):
        xs, ys = zip(*polygon, strict=True)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Mask {number}: {len(polygon)} points, from {_place(min(xs), min(ys))} to "
                f"{_place(max(xs), max(ys))}",
                width="stretch",
            )
            if st.button("Remove", key=f"{draft}-{number}", help=f"Remove mask {number}"):
                st.session_state[draft] = masks[: number - 1] + masks[number:]
                st.rerun(scope="fragment")


def _place(x: float, y: float) -> str:
    return f"{formats.rounded_percent(x)}, {formats.rounded_percent(y)}"


def _offer_text(camera: CameraRow, draft: str, masks: Masks) -> None:
    with st.expander("Edit all masks as text"), st.form(f"mask-text-{camera.id}-{hash(masks)}", border=False):
        text = st.text_area(
            "Masks",
            format_masks(masks),
            help="A JSON list of rectangles [x, y, width, height] and polygons [[x, y], ...], in fractions "
            "of the picture.",
        )
        if st.form_submit_button("Use these masks"):
            try:
                st.session_state[draft] = parse_masks(text)
            except MaskError as error:
                show_problem(error)
                return
            st.rerun(scope="fragment")


def _add(draft: str, masks: Masks, region: Sequence[Any]) -> None:
    try:
        st.session_state[draft] = make_masks([*json.loads(format_masks(masks) or "[]"), list(region)])
    except MaskError as error:
        show_problem(error)
        return
    st.rerun(scope="fragment")
