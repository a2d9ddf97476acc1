"""Entry point of the dashboard: configuration, logo, style, the bar and the navigation of every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from common.access import Actor
from dashboard import account, bar, notices, queries, sign_in, theme
from mien.settings import Settings
from storage.errors import StorageError

_HERE = Path(__file__).parent
_PAGES = {
    "overview": ("Overview", ":material/insights:"),
    "trends": ("Trends", ":material/show_chart:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "live": ("Live", ":material/live_tv:"),
    "cameras": ("Cameras", ":material/videocam:"),
    "quality": ("Quality & privacy", ":material/shield_person:"),
    "events": ("Events", ":material/event:"),
    "settings": ("Settings", ":material/settings:"),
}


def draw(settings: Settings) -> None:
    """Draw the chosen page for whoever is signed in."""
    st.set_page_config(page_title="Mien", page_icon=str(_HERE / "assets" / "icon.svg"), layout="wide")
    st.logo(str(_HERE / "assets" / "mien.svg"), size="large")
    st.html(f"<style>{theme.stylesheet()}</style>")
    page = st.navigation(
        [
            st.Page(_HERE / "app_pages" / f"{name}.py", title=title, icon=icon, default=name == "overview")
            for name, (title, icon) in _PAGES.items()
        ],
        position="top",
    )
    try:
        actor = sign_in.current_actor()
    except sign_in.SignedOut:
        notices.show_signed_out(settings.dashboard_base_path)
        return
    except StorageError as error:
        notices.show_database_unavailable(str(error))
        return
    if settings.requires_sign_in:
        account.draw(actor)
    draw_bar(settings, actor)
    page.run()


def draw_bar(settings: Settings, actor: Actor) -> None:
    """Draw the bar, without cameras while the database is unavailable."""
    try:
        bar.draw(queries.read_status(settings, actor))
    except StorageError:
        bar.draw(None)


draw(Settings())
