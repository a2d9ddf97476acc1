"""Entry point of the dashboard: configuration, logo, style and navigation of every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import theme

_HERE = Path(__file__).parent

st.set_page_config(page_title="Mien", page_icon=str(_HERE / "assets" / "icon.svg"), layout="wide")
st.logo(str(_HERE / "assets" / "mien.svg"), size="large")
st.html(f"<style>{theme.stylesheet()}</style>")
st.navigation(
    [
        st.Page(
            _HERE / "app_pages" / "overview.py", title="Overview", icon=":material/insights:", default=True
        ),
        st.Page(_HERE / "app_pages" / "cameras.py", title="Cameras", icon=":material/videocam:"),
    ],
    position="top",
).run()
