"""Sessions of the dashboard: who is signed in, by the hash of a token that only the browser has."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from common.access import Actor, Role
from common.clock import wall_clock_us
from storage import audit, tables
from storage.errors import StorageError

SITES_LENGTH = 2000
"""The greatest number of characters of all sites of a user, written as JSON."""

HOUR_US = 3_600_000_000
_sessions = tables.dashboard_sessions


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in by `method` until `expires_at`, UTC microseconds.

    `credential` is that of the user when the session began, empty where the method has none.
    """

    actor: Actor
    method: str
    credential: str
    expires_at: int


def start_session(
    engine: sa.Engine, actor: Actor, method: str, credential: str, hours: float, address: str
) -> str:
    """Start a session; returns its token. Expired sessions are deleted, the sign-in is in the audit log.

    Raises DatabaseError where the database cannot be written, StorageError for a scope that is too long.
    """
    token, now = secrets.token_urlsafe(32), wall_clock_us()
    sites = None if actor.sites is None else json.dumps(sorted(actor.sites))
    if sites and len(sites) > SITES_LENGTH:
        raise StorageError(
            f"user {actor.name}: has too many sites, {len(sites)} characters of {SITES_LENGTH}"
        )
    row = {
        "token_hash": _hash(token),
        "user": actor.name,
        "role": str(actor.role),
        "sites": sites,
        "method": method,
        "credential": credential,
        "created_at": now,
        "expires_at": now + round(hours * HOUR_US),
    }
    with engine.begin() as connection:
        connection.execute(sa.delete(_sessions).where(_sessions.c.expires_at <= now))
        connection.execute(sa.insert(_sessions), [row])
        audit.record(connection, actor, "sign-in", actor.name, {"method": method, "address": address})
    return token


def read_session(engine: sa.Engine, token: str) -> Session | None:
    """The session of a token, None where there is none or it has expired.

    Raises DatabaseError where the database cannot be read.
    """
    columns = _sessions.c
    query = sa.select(_sessions).where(
        columns.token_hash == _hash(token), columns.expires_at > wall_clock_us()
    )
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    sites = None if row.sites is None else frozenset(json.loads(row.sites))
    return Session(Actor(row.user, Role(row.role), sites), row.method, row.credential, row.expires_at)


def end_session(engine: sa.Engine, token: str) -> None:
    """End a session by its user's wish; nothing happens where there is none.

    Raises DatabaseError where the database cannot be written.
    """
    session = read_session(engine, token)
    with engine.begin() as connection:
        connection.execute(sa.delete(_sessions).where(_sessions.c.token_hash == _hash(token)))
        if session:
            audit.record(connection, session.actor, "sign-out", session.actor.name, {})


def record_refusal(engine: sa.Engine, name: str, method: str, reason: str, address: str) -> None:
    """Enter in the audit log that a sign-in was refused; `name` is what was typed or claimed.

    Raises DatabaseError where the database cannot be written.
    """
    with engine.begin() as connection:
        details = {"method": method, "reason": reason, "address": address}
        audit.record(connection, None, "sign-in.refused", name, details)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
