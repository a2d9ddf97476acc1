"""Opening a database: SQLite or PostgreSQL, brought to the current version, or read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from storage import tables, versions
from storage.errors import StorageError

_BUSY_MS = 5000
READER_TIMEOUT_MS = 10_000
"""How long a statement of a reader may take on PostgreSQL."""

_LOCK_TIMEOUT_MS = 30_000
_IDLE_TIMEOUT_MS = 60_000
_AWAY = frozenset({"25006", "25P03"})
"""SQLSTATEs of transactions that another server, or the same one later, would carry out: one that is not the
primary any more, and one that ended a session because the process stood still in a transaction."""

_SILENCE_MS = 20_000
"""After so long without a sign of the other side a connection to PostgreSQL is given up, at either end."""


def open_database(url: str, read_only: bool = False) -> sa.Engine:
    """An engine on the database behind an SQLAlchemy URL, migrated unless `read_only`.

    TLS to PostgreSQL is asked for as libpq does: `?sslmode=verify-full&sslrootcert=FILE`.

    Raises StorageError where it cannot be opened, is no database, is newer than this program, cannot be
    written, is older and the user may not migrate it, or, read-only, does not exist or is older.
    """
    parsed = _parse(url)
    engine = _sqlite(parsed, read_only) if _is_sqlite(parsed) else _postgresql(parsed, read_only)
    try:
        with engine.begin() as connection:
            if read_only:
                _check_version(connection)
            else:
                versions.upgrade(connection)
                # Changes nothing, yet fails where nothing can be changed.
                connection.execute(sa.update(tables.offsets).where(sa.false()).values(next_offset=0))
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise StorageError(f"database {shown(url)}: {cause(error)}; check the path or the server") from error
    except StorageError as error:
        engine.dispose()
        raise StorageError(f"database {shown(url)}: {error}") from error
    return engine


def shown(url: str) -> str:
    """The URL without what may be secret: its password and its options.

    Raises StorageError for what is no URL.
    """
    return _parse(url).set(query={}).render_as_string(hide_password=True)


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The reason may quote a part of the password.
        raise StorageError(
            "database URL cannot be read; write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            "with %40 for @, %2F for / and %3A for : in a password"
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StorageError(
            f"database {parsed.drivername}: write sqlite:///FILE or postgresql://USER@HOST/NAME"
        )
    return parsed


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _sqlite(url: sa.URL, read_only: bool) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise StorageError("database: kept in memory, nobody else could read it; write sqlite:///FILE")
    path = Path(url.database).resolve()
    if url.query:
        raise StorageError(f"database {path}: takes no options after ?; write %3F for a ? in its name")
    if not path.parent.is_dir():
        raise StorageError(f"database {path}: its folder does not exist; create it or choose another path")
    if read_only and not path.exists():
        raise StorageError(f"database {path}: does not exist yet; start `mien run` first")
    mode = "ro" if read_only else "rwc"
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"}),
        connect_args={"timeout": _BUSY_MS / 1000, "isolation_level": None},
    )

    def make_durable(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later fails where another one wrote in between; one
        # that takes the lock at once only waits. It also makes schema changes a part of the transaction.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    if not read_only:
        sa.event.listen(engine, "connect", make_durable)
    sa.event.listen(engine, "begin", begin)
    return engine


def _postgresql(url: sa.URL, read_only: bool) -> sa.Engine:
    server: dict[str, object] = {
        # What a client that vanished holds locked is free again soon.
        "idle_in_transaction_session_timeout": _IDLE_TIMEOUT_MS,
        "tcp_keepalives_idle": _SILENCE_MS // 2000,
        "tcp_keepalives_interval": _SILENCE_MS // 4000,
        "tcp_keepalives_count": 2,
        "tcp_user_timeout": _SILENCE_MS,
    }
    if read_only:
        server |= {"default_transaction_read_only": "on", "statement_timeout": READER_TIMEOUT_MS}
    else:
        server |= {"lock_timeout": _LOCK_TIMEOUT_MS}
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={
            "application_name": "mien",
            "connect_timeout": 5,
            "keepalives_idle": _SILENCE_MS // 2000,
            "keepalives_interval": _SILENCE_MS // 4000,
            "keepalives_count": 2,
            "tcp_user_timeout": _SILENCE_MS,
            "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        },
    )
    if not read_only:
        sa.event.listen(engine, "handle_error", _tell_outage)
    return engine


def _tell_outage(context: sa.engine.ExceptionContext) -> sa.exc.OperationalError | None:
    """An outage in the place of what the driver takes for a mistake of ours, see `_AWAY`."""
    error = context.original_exception
    if getattr(error, "sqlstate", None) not in _AWAY:
        return None
    context.is_disconnect = True  # Only a new connection may lead to the server that took over.
    return sa.exc.OperationalError(context.statement, context.parameters, error, connection_invalidated=True)


def _check_version(connection: sa.Connection) -> None:
    if not versions.version(connection).is_newest:
        raise StorageError("is of an older version; run `mien db upgrade`")


def cause(error: sa.exc.DBAPIError) -> str:
    """What the driver said, in one line."""
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
