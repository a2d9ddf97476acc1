"""Connections to a PostgreSQL server: time limits, encoding, and poolers between Mien and the server.

The settings of a session are start-up options of its connection. A pooler such as PgBouncer refuses or
ignores them, and in transaction mode each transaction may run in another session. Behind a pooler the
settings are therefore set in each transaction, and no statement is prepared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from storage.errors import StorageError
from storage.translation import translate_errors

READER_TIMEOUT_MS = 10_000
"""The time limit for a statement of a reader on PostgreSQL."""

_LOCK_TIMEOUT_MS = 30_000
_IDLE_TIMEOUT_MS = 60_000
_UNAVAILABLE_STATES = frozenset({"25006", "25P03"})
"""SQLSTATEs that mean "unavailable": the server is not the primary, or it ended an idle transaction."""

_PEER_TIMEOUT_MS = 20_000
"""A connection to PostgreSQL without any answer for so long is closed, by the client and by the server."""

_REFUSED_OPTION = "unsupported startup parameter"
"""PgBouncer's error for start-up options."""

_OPTION = re.compile(r"(?:-c\s*|--)([\w.-]+)=((?:\\.|\S)*)(?:\s+|$)")


def create_engine(url: sa.URL, read_only: bool) -> sa.Engine:
    """An engine for a server; the options of libpq in the URL are kept.

    Raises StorageError for an `options` of the URL that cannot be read.
    """
    own = _read_options(url)
    session = _session_settings(read_only, own)
    server = _server_settings() | session
    defaults = {
        "application_name": "mien",
        "connect_timeout": 5,
        "keepalives_idle": _PEER_TIMEOUT_MS // 2000,
        "keepalives_interval": _PEER_TIMEOUT_MS // 4000,
        "keepalives_count": 2,
        "tcp_user_timeout": _PEER_TIMEOUT_MS,
    }
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options", "client_encoding"]),
        pool_pre_ping=True,
        connect_args={
            **{name: value for name, value in defaults.items() if name not in url.query},
            # psycopg returns bytes for text in SQL_ASCII, and can send only what the server's encoding has.
            "client_encoding": "utf8",
            "options": " ".join(f"-c {name}={_escape(value)}" for name, value in server.items()),
        },
    )
    _handle_poolers(engine, session)
    translate_errors(engine, unavailable_states=() if read_only else _UNAVAILABLE_STATES)
    return engine


def _server_settings() -> dict[str, str]:
    """Settings of the server's side of the connection: they release the locks of a lost client."""
    return {
        "tcp_keepalives_idle": str(_PEER_TIMEOUT_MS // 2000),
        "tcp_keepalives_interval": str(_PEER_TIMEOUT_MS // 4000),
        "tcp_keepalives_count": "2",
        "tcp_user_timeout": str(_PEER_TIMEOUT_MS),
    }


def _session_settings(read_only: bool, own: Mapping[str, str]) -> dict[str, str]:
    """The settings of a session; those of the URL override the defaults, but a reader stays a reader."""
    settings = {"idle_in_transaction_session_timeout": str(_IDLE_TIMEOUT_MS)}
    if read_only:
        reader = {"default_transaction_read_only": "on"}
        return settings | {"statement_timeout": str(READER_TIMEOUT_MS)} | dict(own) | reader
    return settings | {"lock_timeout": str(_LOCK_TIMEOUT_MS)} | dict(own)


def _read_options(url: sa.URL) -> dict[str, str]:
    """The settings in the option `options` of a URL, or of the environment as libpq reads it."""
    given = url.query.get("options", os.environ.get("PGOPTIONS", ""))
    text = given if isinstance(given, str) else " ".join(given)
    settings, rest = {}, text.strip()
    while rest:
        match = _OPTION.match(rest)
        if match is None:
            raise StorageError("database: options are not readable; write ?options=-cNAME%3DVALUE")
        settings[match[1].replace("-", "_")] = re.sub(r"\\(.)", r"\1", match[2])
        rest = rest[match.end() :]
    return settings


def _escape(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value)


def _handle_poolers(engine: sa.Engine, session: Mapping[str, str]) -> None:
    """Find out at the first connection whether a pooler is between, and adapt all connections to it."""
    names = [name.replace("default_transaction_read_only", "transaction_read_only") for name in session]
    statement = f"SELECT {', '.join(['set_config(%s, %s, true)'] * len(names))}"
    values = tuple(part for pair in zip(names, session.values(), strict=True) for part in pair)
    pooled: bool | None = None

    def adapt(dialect: sa.Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
        nonlocal pooled
        if pooled is None:
            pooled = _is_pooled(dialect.loaded_dbapi, arguments, options)
        if pooled:
            options.pop("options", None)
            options["prepare_threshold"] = None

    def begin(connection: sa.Connection) -> None:
        if pooled:
            connection.exec_driver_sql(statement, values)

    sa.event.listen(engine, "do_connect", adapt)
    sa.event.listen(engine, "begin", begin)


def _is_pooled(psycopg: Any, arguments: list[Any], options: dict[str, Any]) -> bool:
    """Whether another process answers than the one that accepted the connection; raises psycopg.Error.

    SQLAlchemy hands over the module `psycopg`, so that it is not imported where the database is SQLite.
    """
    try:
        with psycopg.connect(*arguments, **options) as connection:
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
            return row is None or row[0] != connection.info.backend_pid
    except psycopg.OperationalError as error:
        if _REFUSED_OPTION in str(error):
            return True
        raise
