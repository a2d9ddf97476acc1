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
    """Make a change; whether it was made. The reason why not is shown, unless the session has ended."""
    try:
        actor = sign_in.current_actor()
        database = queries.writable_database(settings)
        try:
            change(database, actor)
        finally:
            database.dispose()
    except sign_in.SignedOut:
        return False
    except (StorageError, AccessDenied) as error:
        st.error(formats.escape_markdown(str(error)))
        return False
    return True
