"""Leases of tasks that exactly one of several processes does, such as sending alerts.

A lease is taken by compare and swap, by the database's clock: only where nobody holds it or it has expired.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bus.messages import MICROSECONDS
from storage import tables
from storage.leases import database_clock_us

_TABLE = tables.task_leases


@dataclass(frozen=True, slots=True)
class TaskHolder:
    """The process that does a task, "HOST pid N", and what it tells about how it does it."""

    process: str
    details: str


class TaskLease:
    """The lease of one task, seen by this process; it expires `seconds` after its last renewal."""

    def __init__(self, engine: sa.Engine, task: str, details: str, seconds: float) -> None:
        self._engine = engine
        self._task = task
        self._holder = uuid.uuid4().hex
        self._process = f"{socket.gethostname()} pid {os.getpid()}"[-tables.PROCESS_LENGTH :]
        self._details = details[: tables.REASON_LENGTH]
        self._length_us = round(seconds * MICROSECONDS)
        self._insert = (postgresql if engine.dialect.name == "postgresql" else sqlite).insert

    def hold(self) -> bool:
        """Take or renew the lease; False where another process holds it.

        Raises DatabaseUnavailable while the database cannot be written.
        """
        with self._engine.begin() as connection:
            now = database_clock_us(connection)
            values = {
                "holder": self._holder,
                "process": self._process,
                "details": self._details,
                "renewed_at": now,
                "expires_at": now + self._length_us,
            }
            # A lease from the future was taken before a wrong clock was corrected.
            over = (_TABLE.c.expires_at <= now) | (_TABLE.c.renewed_at > now + self._length_us)
            free = (_TABLE.c.holder == self._holder) | over
            take = sa.update(_TABLE).where(_TABLE.c.task == self._task, free).values(**values)
            taken = connection.scalar(take.returning(_TABLE.c.task))
            if taken is None:
                new = self._insert(_TABLE).values(task=self._task, **values).on_conflict_do_nothing()
                taken = connection.scalar(new.returning(_TABLE.c.task))
        return taken is not None

    def is_held(self, connection: sa.Connection) -> bool:
        """Whether this process holds the lease; on PostgreSQL nobody can take it until the transaction ends.

        SQLite has one writer at a time, so call it after the first write of the transaction.
        """
        query = sa.select(_TABLE.c.expires_at).where(
            _TABLE.c.task == self._task, _TABLE.c.holder == self._holder
        )
        expires_at = connection.scalar(query.with_for_update())
        return expires_at is not None and expires_at > database_clock_us(connection)

    def release(self) -> None:
        """Let another process take the lease at once. Raises DatabaseUnavailable."""
        with self._engine.begin() as connection:
            mine = (_TABLE.c.task == self._task) & (_TABLE.c.holder == self._holder)
            connection.execute(sa.update(_TABLE).where(mine).values(expires_at=0))


def read_task_holder(connection: sa.Connection, task: str) -> TaskHolder | None:
    """The process that does a task now, None while none does."""
    query = sa.select(_TABLE.c.process, _TABLE.c.details).where(
        _TABLE.c.task == task, _TABLE.c.expires_at > database_clock_us(connection)
    )
    row = connection.execute(query).first()
    return TaskHolder(row.process, row.details) if row else None
