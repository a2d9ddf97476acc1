"""Entry point of the dashboard: configuration, logo, style, the bar and the navigation of every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import bar, queries, sign_in, theme
from mien.settings import Settings
from storage.errors import StorageError

_HERE = Path(__file__).parent
_PAGES = {
    "overview": ("Overview", ":material/insights:"),
    "trends": ("Trends", ":material/show_chart:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "cameras": ("Cameras", ":material/videocam:"),
    "quality": ("Quality & privacy", ":material/shield_person:"),
    "events": ("Events", ":material/event:"),
}

st.set_page_config(page_title="Mien", page_icon=str(_HERE / "assets" / "icon.svg"), layout="wide")
st.logo(str(_HERE / "assets" / "mien.svg"), size="large")
st.html(f"<style>{theme.stylesheet()}</style>")
_page = st.navigation(
    [
        st.Page(_HERE / "app_pages" / f"{name}.py", title=title, icon=icon, default=name == "overview")
        for name, (title, icon) in _PAGES.items()
    ],
    position="top",
)
try:
    bar.draw(queries.read_status(Settings(), sign_in.current_actor()))
except StorageError:
    bar.draw(None)
_page.run()
