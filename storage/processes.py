"""Running processes that serve an internal server (`mien.internal_server`): where, and with which token.

A process renews its row like a lease; a row that was not renewed is ignored, and is deleted by upkeep. Times
are those of the database's clock. The token is a secret: the roles of PostgreSQL that Mien's own processes
use can read it, the analyst's cannot.
"""

from __future__ import annotations

import os
import secrets
import socket
import uuid
from dataclasses import dataclass, field

import sqlalchemy as sa

from bus.messages import MICROSECONDS
from storage import tables
from storage.leases import database_clock_us

RENEW_EVERY_S = 3.0
VALID_S = 10.0
"""Seconds for which a row is valid after a renewal."""

_VALID_US = round(VALID_S * MICROSECONDS)
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Process:
    """A process that runs: `name` is "HOST pid N", `address` the URL of its internal server.

    `captures` and `analyses` tell what it does.
    """

    name: str
    address: str
    token: str = field(repr=False)
    captures: bool
    analyses: bool


class ProcessEntry:
    """The row of this process. Every method raises DatabaseError where the database refuses.

    Args:
        engine: the database.
        captures: whether this process captures cameras.
        analyses: whether this process analyses frames.
    """

    def __init__(self, engine: sa.Engine, *, captures: bool, analyses: bool) -> None:
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        """What a caller of this process's internal server must send."""
        self._engine = engine
        self._id = uuid.uuid4().hex
        self._process = f"{socket.gethostname()} pid {os.getpid()}"[-tables.PROCESS_LENGTH :]
        self._captures, self._analyses = captures, analyses

    def renew(self, address: str) -> None:
        """Report that this process runs at `address`."""
        stored = tables.processes
        with self._engine.begin() as connection:
            now = database_clock_us(connection)
            changing = {"address": address, "renewed_at": now, "expires_at": now + _VALID_US}
            renewed = connection.execute(sa.update(stored).where(stored.c.id == self._id).values(**changing))
            if not renewed.rowcount:
                fixed = {"id": self._id, "process": self._process, "token": self.token}
                row = fixed | {"captures": self._captures, "analyses": self._analyses} | changing
                connection.execute(sa.insert(stored), [row])

    def leave(self) -> None:
        """Report that this process ends; its token is erased."""
        stored = tables.processes
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(stored).where(stored.c.id == self._id).values(expires_at=0, token="")
            )


def read_processes(engine: sa.Engine) -> list[Process]:
    """The processes that run, the one that was renewed last first.

    Raises DatabaseError where the database cannot be read or its user may not read tokens.
    """
    stored = tables.processes.c
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(tables.processes)
            .where(stored.expires_at > database_clock_us(connection))
            .order_by(stored.renewed_at.desc(), stored.id)
        ).mappings()
        return [
            Process(
                name=row["process"],
                address=row["address"],
                token=row["token"],
                captures=row["captures"],
                analyses=row["analyses"],
            )
            for row in rows
        ]
