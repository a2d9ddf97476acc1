"""A PostgreSQL that stands still must not hold a process that is to end.

A server whose processes are stopped, or whose disk does not answer, keeps its connections and says nothing.
Its kernel still acknowledges what comes, so that neither keepalives nor `tcp_user_timeout` notice, and a
time-out of the server's is kept by nobody. What helps is to cut the connection at this end.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

_LOOK_SECONDS = 0.2
_CONNECT_SECONDS = 2
"""The least that psycopg waits for a connection."""


@contextmanager
def let_go(engine: sa.Engine, stop: threading.Event, seconds: float = 3.0) -> Iterator[None]:
    """Once `stop` is set, give up what the database leaves without an answer for `seconds`.

    Whoever waits for it is told that the connection is lost (`storage.writer.OUTAGES`), and so is everybody
    who asks for another connection afterwards. Whether the server carries out what it was asked is as open as
    with any connection that is lost. For PostgreSQL; waits for SQLite are short.

    Args:
        engine: none of its connections is in use yet.
        stop: set when the process is to end.
        seconds: during which a connection was found waiting five times a second.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    watch = _Watch(stop, seconds)
    for event in ("connect", "close", "do_connect"):
        sa.event.listen(engine, event, getattr(watch, event))
    engine.dispose()  # Those that were opened before nobody would watch.
    done = threading.Event()
    thread = threading.Thread(target=watch.run, args=(done,), name="standstill", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _Watch:
    """The open connections of an engine, and since when each waits for an answer."""

    def __init__(self, stop: threading.Event, seconds: float) -> None:
        self._stop = stop
        self._seconds = seconds
        self._lock = threading.Lock()
        self._open: set[psycopg.Connection] = set()
        self._waiting: dict[psycopg.Connection, float] = {}
        self._stands_still = False

    def connect(self, connection: psycopg.Connection, _record: object) -> None:
        with self._lock:
            self._open.add(connection)

    def close(self, connection: psycopg.Connection, _record: object) -> None:
        # Held while a connection is cut: the number of its socket may belong to another one afterwards.
        with self._lock:
            self._open.discard(connection)

    def do_connect(self, _dialect: object, _record: object, _given: object, options: dict[str, Any]) -> None:
        if self._stands_still:
            raise psycopg.OperationalError("the database stands still")
        if self._stop.is_set():
            options["connect_timeout"] = _CONNECT_SECONDS

    def run(self, done: threading.Event) -> None:
        while not done.wait(_LOOK_SECONDS):
            if self._stop.is_set():
                self._look()

    def _look(self) -> None:
        now = time.monotonic()
        with self._lock:
            waiting = [c for c in self._open if c.info.transaction_status is TransactionStatus.ACTIVE]
            self._waiting = {each: self._waiting.get(each, now) for each in waiting}
            for connection, since in self._waiting.items():
                if now - since >= self._seconds:
                    self._stands_still = True
                    _cut(connection)


def _cut(connection: psycopg.Connection) -> None:
    """End a connection that another thread waits on; that thread wakes up, and closes it."""
    # psycopg's own `close` would take the socket from under the waiting thread without waking it.
    with suppress(psycopg.OperationalError, OSError):  # Where it has ended meanwhile.
        line = socket.socket(fileno=os.dup(connection.fileno()))
        with line:
            line.shutdown(socket.SHUT_RDWR)
