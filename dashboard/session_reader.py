"""Who a session token belongs to: read from the database, and from the password file for its users."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path

from common.access import Actor
from mien.settings import Settings
from storage.engine import Database, open_database
from storage.sessions import read_session
from storage.users import read_users

PASSWORD, OPEN_ID = "password", "oidc"
"""How a session began."""

KEPT_S = 5.0
"""Seconds for which an answer is used again: a session that was ended elsewhere ends so much later."""

_MOST_KEPT = 1000


class SessionReader:
    """Finds the actor of a token; one for each database and password file. Safe for several threads."""

    def __init__(self, settings: Settings) -> None:
        self._database_url = settings.database
        self._users_file: Path | None = settings.users_file
        self._open_id = settings.oidc_issuer is not None
        self._database: Database | None = None
        self._found: OrderedDict[str, tuple[float, Actor | None]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, token: str | None) -> Actor | None:
        """The actor of a token, None where nobody is signed in with it.

        Raises StorageError where the database or the password file cannot be read.
        """
        if not token:
            return None
        with self._lock:
            kept = self._found.get(token)
            if kept and time.monotonic() < kept[0]:
                return kept[1]
            actor = self._read(token)
            self._found[token] = (time.monotonic() + KEPT_S, actor)
            self._found.move_to_end(token)
            if len(self._found) > _MOST_KEPT:
                self._found.popitem(last=False)
            return actor

    def forget(self, token: str) -> None:
        """Read a token again at the next call, since its session has ended."""
        with self._lock:
            self._found.pop(token, None)

    def dispose(self) -> None:
        """Close the connections to the database."""
        with self._lock:
            if self._database:
                self._database.dispose()
                self._database = None

    def _read(self, token: str) -> Actor | None:
        if self._database is None:
            self._database = open_database(self._database_url, read_only=True)
        session = read_session(self._database, token)
        if session is None:
            return None
        if session.method == OPEN_ID:
            return session.actor if self._open_id else None
        if self._users_file is None:
            return None
        user = read_users(self._users_file).get(session.actor.name)
        return user.actor if user and user.credential == session.credential else None
