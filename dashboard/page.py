"""What every page has in common: the state of the database, and a notice where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from common.access import AccessDenied, Actor
from dashboard import bar, components, notices, queries, sign_in
from dashboard.selection import Selection
from mien.protection import apply_protection, configured_protection
from mien.settings import Settings
from storage.errors import StorageError
from storage.figures.timeline import WrongPeriod


@dataclass(frozen=True, slots=True)
class View:
    """What a page draws: the settings, the state of the database, what the viewer selected, and the viewer.

    The settings have k and the retention that apply, which may be stricter than configured.
    The state and the selection have the cameras that the viewer may read, and no others.
    """

    settings: Settings
    status: queries.Status
    selection: Selection
    actor: Actor


SLOWLY_S = 15.0
"""Seconds between two updates of pages with many charts, which change slowly."""


def show(
    draw: Callable[[View], None],
    *,
    needs_results: bool = True,
    refresh: bool = True,
    least_s: float = 0.0,
    every_s: float | None = None,
    secondary: bool = False,
) -> None:
    """Draw a page, and draw it again every `refresh_seconds`, at least `least_s`, unless `refresh` is False.

    With `every_s` it is drawn again after so many seconds, whatever the settings say.

    A page that `needs_results` is replaced by a notice as long as there are none, and every page is while the
    database is unavailable or the selected period has no answer. A `secondary` part of a page draws nothing
    then, because the first part explains it.
    """
    settings = Settings()

    def explain(notice: Callable[..., None], *about: object) -> None:
        if not secondary:
            notice(*about)

    def draw_page() -> None:
        try:
            actor = sign_in.current_actor()
            status = queries.read_status(settings, actor)
        except sign_in.SignedOut:
            st.rerun()
        except StorageError as error:
            explain(notices.show_database_unavailable, str(error))
            return
        drawn = bar.selected()
        if drawn.offer != bar.offer_of(status):
            st.rerun()
        try:
            if needs_results and status.newest_result is None:
                explain(notices.show_no_data, len(status.cameras))
                return
            cameras = queries.restrict(settings, actor, drawn.selection.cameras)
            applied = apply_protection(settings, configured_protection(settings).tightened(status.protection))
            draw(View(applied, status, replace(drawn.selection, cameras=cameras), actor))
        except AccessDenied as error:
            explain(notices.show_denied, str(error))
        except StorageError as error:
            explain(notices.show_database_unavailable, str(error))
        except WrongPeriod as error:
            explain(notices.show_wrong_period, str(error))

    every = every_s or (max(settings.refresh_seconds, least_s) if refresh else None)
    st.fragment(run_every=every)(draw_page)()


def figure_seconds() -> float:
    """Seconds after which the figures of what is selected are read again: a page need not be drawn before."""
    settings = Settings()
    try:
        return queries.refresh_seconds(settings, queries.ask(settings, bar.selected().selection))
    except WrongPeriod:
        return settings.refresh_seconds


def show_header(view: View, title: str, *, link_to_cameras: bool = True) -> None:
    """The name of a page with the age of the newest result, and a warning while cameras are down.

    The warning links to the page Cameras, unless that is the page.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"### {title}", width="content")
        st.space("stretch")
        components.show_freshness(view.status)
    with st.container():  # Always there, so that what is below keeps its place and its state in the browser.
        components.show_alarm(view.status.cameras, link=link_to_cameras)
