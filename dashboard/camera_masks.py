"""The editor of masks: areas are selected on a blurred picture of the camera, or entered as numbers."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import streamlit as st
from PIL import Image, ImageDraw

from common.masks import MaskError, Masks, covered_share, format_masks, make_masks, parse_masks
from dashboard import camera_control, formats
from dashboard.camera_control import CameraTest
from dashboard.camera_panels import attempt, show_problem
from dashboard.live_pictures import read_live
from dashboard.page import View
from storage.registry import CameraRow

_WIDTH, _MOST_HEIGHT = 560, 560
_SELECTED = "area"
_EDGE, _FILL = (214, 90, 18, 255), (20, 22, 28, 190)
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
    area = _draw_picture(camera, picture, masks) if picture else None
    _offer_area(draft, masks, area)
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


def _draw_picture(camera: CameraRow, picture: bytes, masks: Masks) -> tuple[float, ...] | None:
    """Draw the picture; returns the selected area as x, y, width, height, None without one."""
    st.markdown("Drag over the picture to select an area.")
    with st.container(width=_WIDTH):
        chart = st.vega_lite_chart(
            _specification(*_with_masks(picture, masks)),
            on_select="rerun",
            key=f"area-{camera.id}-{hash(masks)}",
            width="stretch",
            theme=None,
            alt=f"Picture of {camera.name}, {formats.counted(len(masks), 'mask')}; areas can be entered as "
            "numbers below.",
        )
    found: Mapping[str, Any] = chart["selection"].get(_SELECTED, {})
    return area_of(found.get("x", ()), found.get("y", ()))


def area_of(x: Sequence[float], y: Sequence[float]) -> tuple[float, ...] | None:
    """The rectangle x, y, width, height within the picture that two ranges select; None for less than 1 %."""
    if len(x) != 2 or len(y) != 2:
        return None
    left, right = (min(max(float(each), 0.0), 1.0) for each in sorted(x))
    top, bottom = (min(max(float(each), 0.0), 1.0) for each in sorted(y))
    if min(right - left, bottom - top) < 0.01:
        return None
    return left, top, right - left, bottom - top


def _specification(url: str, height: int) -> dict[str, Any]:
    axis = {"type": "quantitative", "title": None, "axis": None}
    return {
        "data": {"values": [{"url": url, "x": 0.5, "y": 0.5}]},
        "height": height,
        "padding": 0,
        "mark": {
            "type": "image",
            "width": {"expr": "width"},
            "height": {"expr": "height"},
            "aspect": False,
            "align": "center",
            "baseline": "middle",
        },
        "params": [{"name": _SELECTED, "select": {"type": "interval", "encodings": ["x", "y"]}}],
        "encoding": {
            "url": {"field": "url", "type": "nominal"},
            "x": {"field": "x", **axis, "scale": {"domain": [0, 1], "nice": False}},
            "y": {"field": "y", **axis, "scale": {"domain": [1, 0], "nice": False}},
        },
    }


def _with_masks(picture: bytes, masks: Masks) -> tuple[str, int]:
    """The data URL of a picture on which the masks are drawn, and the height in which it is shown."""
    with Image.open(BytesIO(picture)) as opened:
        image = opened.convert("RGBA")
    overlay = Image.new("RGBA", image.size)
    pen = ImageDraw.Draw(overlay)
    for polygon in masks:
        points = [(x * image.width, y * image.height) for x, y in polygon]
        pen.polygon(points, fill=_FILL, outline=_EDGE, width=3)
    drawn = BytesIO()
    Image.alpha_composite(image, overlay).convert("RGB").save(drawn, "JPEG", quality=85)
    height = min(round(_WIDTH * image.height / image.width), _MOST_HEIGHT)
    return f"data:image/jpeg;base64,{b64encode(drawn.getvalue()).decode()}", height


def _offer_area(draft: str, masks: Masks, area: tuple[float, ...] | None) -> None:
    if area is None:
        return
    x, y, width, height = area
    st.markdown(
        f"Selected: {formats.rounded_percent(width)} x {formats.rounded_percent(height)} of the picture, "
        f"from {_place(x, y)}"
    )
    if st.button("Mask the selected area", icon=":material/add:"):
        _add(draft, masks, area)


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


def _add(draft: str, masks: Masks, region: Sequence[float]) -> None:
    try:
        st.session_state[draft] = make_masks([*json.loads(format_masks(masks) or "[]"), list(region)])
    except MaskError as error:
        show_problem(error)
        return
    st.rerun(scope="fragment")
