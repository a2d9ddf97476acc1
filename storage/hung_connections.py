"""Abort of PostgreSQL connections that hang while the process is to end.

A server whose processes are stopped, or whose disk does not respond, keeps its connections open and sends
nothing. Its kernel still acknowledges what it receives, so neither keepalives nor `tcp_user_timeout` detect
this, and no time-out of the server itself takes effect. Only closing the connection on this side ends the
wait.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 2
"""The shortest connection time-out of psycopg."""


@contextmanager
def abort_hung_connections(engine: sa.Engine, stop: threading.Event, seconds: float = 3.0) -> Iterator[None]:
    """Once `stop` is set, abort each connection that waits for an answer for `seconds`.

    The waiting thread gets `storage.errors.DatabaseUnavailable`, and so does every later attempt to connect.
    As with any lost connection, the server may or may not carry out the statement. This is for PostgreSQL;
    waits for SQLite are short.

    Args:
        engine: without connections in use.
        stop: set when the process is to end.
        seconds: the wait after which a connection counts as hung; checked five times a second.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    monitor = _ConnectionMonitor(stop, seconds)
    for event in ("connect", "close", "do_connect", "after_cursor_execute"):
        sa.event.listen(engine, event, getattr(monitor, event))
    engine.dispose()  # The monitor does not know connections that were opened before.
    done = threading.Event()
    thread = threading.Thread(target=monitor.run, args=(done,), name="hung-connections", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _ConnectionMonitor:
    """The open connections of an engine, and since when each waits for an answer."""

    def __init__(self, stop: threading.Event, seconds: float) -> None:
        self._stop = stop
        self._seconds = seconds
        self._lock = threading.Lock()
        self._open: set[psycopg.Connection] = set()
        self._answers: Counter[psycopg.Connection] = Counter()
        self._waiting_since: dict[tuple[psycopg.Connection, int], float] = {}
        self._server_hangs = False

    def connect(self, connection: psycopg.Connection, _record: object) -> None:
        with self._lock:
            self._open.add(connection)

    def close(self, connection: psycopg.Connection, _record: object) -> None:
        # `_abort_hung` holds the lock too: a closed socket's number may be reused for another connection.
        with self._lock:
            self._open.discard(connection)
            self._answers.pop(connection, None)

    def after_cursor_execute(self, connection: sa.Connection, *_: object) -> None:
        if not self._stop.is_set():
            return
        # What the connection waits for next is another wait, though it may be the same at every look.
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        with self._lock:
            self._answers[driver] += 1

    def do_connect(self, _dialect: object, _record: object, _given: object, options: dict[str, Any]) -> None:
        if self._server_hangs:
            raise psycopg.OperationalError("the database does not respond")
        if self._stop.is_set():
            options["connect_timeout"] = _CONNECT_SECONDS

    def run(self, done: threading.Event) -> None:
        while not done.wait(_POLL_SECONDS):
            if self._stop.is_set():
                self._abort_hung()

    def _abort_hung(self) -> None:
        now = time.monotonic()
        with self._lock:
            waiting = [
                (each, self._answers[each])
                for each in self._open
                if each.info.transaction_status is TransactionStatus.ACTIVE
            ]
            self._waiting_since = {each: self._waiting_since.get(each, now) for each in waiting}
            for (connection, _), since in self._waiting_since.items():
                if now - since >= self._seconds:
                    self._server_hangs = True
                    _shut_down(connection)


def _shut_down(connection: psycopg.Connection) -> None:
    """End a connection that another thread waits for; that thread wakes up and closes it."""
    # psycopg's own `close` takes the socket from the waiting thread without waking it.
    with suppress(psycopg.OperationalError, OSError):  # If it ended in the meantime.
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with duplicate:
            duplicate.shutdown(socket.SHUT_RDWR)
