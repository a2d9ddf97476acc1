"""The picture on which masks are drawn with the pointer or by keys: a component of Streamlit with our script.

The script is a file that this server delivers: the security policy forbids scripts in the text of a page.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import streamlit as st
from PIL import Image
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

from common.masks import MOST_POINTS, Masks

_ASSETS = Path(__file__).with_name("assets")
_PROJECT, _NAME = "mien", "mask_editor"


def draw_editor(picture: bytes, masks: Masks, saved: Masks, alt: str, key: str) -> Sequence[Any] | None:
    """Draw a JPEG with its masks; returns the points of the shape that was finished just now, None without.

    Masks that are not `saved` have a dashed edge. The points are as the browser sends them, unchecked.
    """
    with Image.open(BytesIO(picture)) as opened:
        aspect = opened.width / opened.height
    result = _component()(
        key=key,
        data={
            "url": f"data:image/jpeg;base64,{b64encode(picture).decode()}",
            "aspect": aspect,
            "alt": alt,
            "masks": [{"points": each, "saved": each in saved} for each in masks],
            "most_points": MOST_POINTS,
        },
        on_shape_change=lambda: None,
    )
    shape = result.get("shape")
    return shape if isinstance(shape, list) else None


def _component() -> Any:
    # Streamlit looks for the files of a component in the pyproject.toml of its package, which an installed
    # package does not have; so its manager is given what that file would say.
    manager = get_bidi_component_manager()
    name = f"{_PROJECT}.{_NAME}"
    if manager.get_component_path(name) is None:
        manifest = ComponentManifest(_PROJECT, "", [ComponentConfig(_NAME, _NAME)])
        manager.register_from_manifest(manifest, _ASSETS)
    return st.components.v2.component(
        name,
        html=(_ASSETS / _NAME / "mask_editor.html").read_text(),
        css="mask_editor.css",
        js="mask_editor.js",
    )
