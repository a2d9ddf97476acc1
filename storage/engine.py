"""Opening of SQLite and PostgreSQL databases: migrated to the newest version, or read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from storage import tables, versions
from storage.errors import DatabaseError, StorageError
from storage.translation import translate_errors

_BUSY_MS = 5000
READER_TIMEOUT_MS = 10_000
"""The time limit for a statement of a reader on PostgreSQL."""

_LOCK_TIMEOUT_MS = 30_000
_IDLE_TIMEOUT_MS = 60_000
_UNAVAILABLE_STATES = frozenset({"25006", "25P03"})
"""SQLSTATEs that mean "unavailable": the server is not the primary, or it ended an idle transaction."""

_PEER_TIMEOUT_MS = 20_000
"""A connection to PostgreSQL without any answer for so long is closed, by the client and by the server."""

Database = sa.Engine
"""An open database, the argument of most functions of this package. `dispose` closes it."""


def open_database(url: str, read_only: bool = False) -> Database:
    """Open the database at an SQLAlchemy URL and migrate it unless `read_only`.

    Options of libpq configure TLS to PostgreSQL: `?sslmode=verify-full&sslrootcert=FILE`.

    Raises StorageError where the database cannot be opened or written, is not a database, is newer than this
    program, or is older and the user may not migrate it; read-only also where it does not exist or is older.
    """
    parsed = _parse(url)
    engine = _sqlite(parsed, read_only) if _is_sqlite(parsed) else _postgresql(parsed, read_only)
    try:
        with engine.begin() as connection:
            if read_only:
                _check_version(connection)
            else:
                versions.upgrade(connection)
                # Changes no row, but fails where the database cannot be written.
                connection.execute(sa.update(tables.offsets).where(sa.false()).values(next_offset=0))
    except DatabaseError as error:
        engine.dispose()
        raise StorageError(f"database {redact_url(url)}: {error}; check the path or the server") from error
    except StorageError as error:
        engine.dispose()
        raise StorageError(f"database {redact_url(url)}: {error}") from error
    return engine


def redact_url(url: str) -> str:
    """The URL without its password and its options, which may be secret.

    Raises StorageError for an invalid URL.
    """
    return _parse(url).set(query={}).render_as_string(hide_password=True)


def sqlite_file(url: str) -> Path | None:
    """The file that a URL of SQLite names; None for other databases.

    Raises StorageError for an invalid URL.
    """
    parsed = _parse(url)
    return Path(parsed.database) if _is_sqlite(parsed) and parsed.database else None


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The error may quote a part of the password.
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
        raise StorageError("database: in memory, which no other process can read; write sqlite:///FILE")
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
        # A transaction that reads first and writes later fails if another one writes in between; one that
        # takes the write lock first only waits. BEGIN also makes schema changes a part of the transaction.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    translate_errors(engine)
    if not read_only:
        sa.event.listen(engine, "connect", make_durable)
    sa.event.listen(engine, "begin", begin)
    return engine


def _postgresql(url: sa.URL, read_only: bool) -> sa.Engine:
    server: dict[str, object] = {
        # These release the locks of a client that disappeared.
        "idle_in_transaction_session_timeout": _IDLE_TIMEOUT_MS,
        "tcp_keepalives_idle": _PEER_TIMEOUT_MS // 2000,
        "tcp_keepalives_interval": _PEER_TIMEOUT_MS // 4000,
        "tcp_keepalives_count": 2,
        "tcp_user_timeout": _PEER_TIMEOUT_MS,
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
            "keepalives_idle": _PEER_TIMEOUT_MS // 2000,
            "keepalives_interval": _PEER_TIMEOUT_MS // 4000,
            "keepalives_count": 2,
            "tcp_user_timeout": _PEER_TIMEOUT_MS,
            "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        },
    )
    translate_errors(engine, unavailable_states=() if read_only else _UNAVAILABLE_STATES)
    return engine


def _check_version(connection: sa.Connection) -> None:
    if not versions.read_version(connection).is_newest:
        raise StorageError("is of an older version; run `mien db upgrade`")
