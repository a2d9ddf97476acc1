"""Who uses the dashboard: the actor of the session that is being served.

Every request has passed `dashboard.gate` before. Pages ask here again whenever they are drawn, since a page
that stays open outlives its session.
"""

from __future__ import annotations

import streamlit as st

from common.access import LOCAL, Actor
from dashboard.session_reader import SessionReader
from mien.settings import Settings
from storage.engine import open_database
from storage.sessions import end_session

PATH = "sign-in"
"""The path of the sign-in page, below the base path."""


class SignedOut(Exception):
    """Nobody is signed in any more: the session has expired or was ended."""


def current_actor() -> Actor:
    """The actor of this session: `LOCAL` where the dashboard has no sign-in and listens on loopback.

    Raises SignedOut where the session has ended, StorageError where that cannot be found out.
    """
    settings = Settings()
    if not settings.requires_sign_in:
        return LOCAL
    actor = session_reader(settings).find(_token(settings))
    if actor is None:
        raise SignedOut
    return actor


def cookie_name(settings: Settings) -> str:
    """The cookie with the token of a session; dashboards with different base paths have different ones."""
    return f"mien_session+{settings.dashboard_base_path.replace('/', '+')}".rstrip("+")


def sign_out() -> None:
    """End the session that is being served. Raises StorageError where the database cannot be written."""
    settings = Settings()
    token = _token(settings)
    if not token:
        return
    database = open_database(settings.database)
    try:
        end_session(database, token)
    finally:
        database.dispose()
    session_reader(settings).forget(token)


def session_reader(settings: Settings) -> SessionReader:
    """The reader of all pages and of `dashboard.gate`: a session that ends here ends for both at once."""
    return _reader_of(settings, settings.database, str(settings.users_file or ""), settings.oidc_issuer or "")


def _token(settings: Settings) -> str | None:
    """The token in the cookie that the browser sent when it opened this page."""
    return st.context.cookies.get(cookie_name(settings))


@st.cache_resource(show_spinner=False, on_release=SessionReader.dispose, max_entries=1)
def _reader_of(_settings: Settings, database: str, users_file: str, oidc: str) -> SessionReader:
    return SessionReader(_settings)
