"""A change of the database by whoever is signed in at that moment."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from common.access import AccessDenied, Actor
from dashboard import formats, queries, sign_in
from mien.settings import Settings
from storage.engine import Database
from storage.errors import StorageError


def make_change(settings: Settings, change: Callable[[Database, Actor], object]) -> bool:
    """Make a change; whether it was made. The reason why not is shown where the page is being drawn.

    Call it while the page is drawn, as in `if st.button(...)`, never in a callback: what a callback of a
    fragment writes takes the place of the first element of the page. Where the session has ended, the page is
    drawn again, and says so.
    """
    try:
        actor = sign_in.current_actor()
        database = queries.writable_database(settings)
        try:
            change(database, actor)
        finally:
            database.dispose()
    except sign_in.SignedOut:
        st.rerun()
    except (StorageError, AccessDenied) as error:
        st.error(formats.escape_markdown(str(error)))
        return False
    return True
