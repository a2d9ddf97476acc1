"""Opening a database: SQLite or PostgreSQL, brought to the current version, or read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import tables
from storage.errors import StorageError

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 5000
_READER_TIMEOUT_MS = 10_000
_MIGRATION_LOCK = 0x6D69656E
"""Any number that no other program on the same PostgreSQL database locks."""


def open_database(url: str, read_only: bool = False) -> sa.Engine:
    """An engine on the database behind an SQLAlchemy URL, migrated unless `read_only`.

    Raises StorageError where it cannot be opened, is no database, is newer than this program, cannot be
    written, or, read-only, does not exist or is older.
    """
    parsed = _parse(url)
    engine = _sqlite(parsed, read_only) if _is_sqlite(parsed) else _postgresql(parsed, read_only)
    try:
        with engine.begin() as connection:
            _bring_up_to_date(connection, shown(url), read_only)
            if not read_only:
                # Changes nothing, yet fails where nothing can be changed.
                connection.execute(sa.update(tables.offsets).where(sa.false()).values(next_offset=0))
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise StorageError(f"database {shown(url)}: {_cause(error)}; check the path or the server") from error
    except StorageError:
        engine.dispose()
        raise
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
    arguments: dict[str, Any] = {"connect_timeout": 5}
    if read_only:
        arguments["options"] = (
            f"-c default_transaction_read_only=on -c statement_timeout={_READER_TIMEOUT_MS}"
        )
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, connect_args=arguments
    )


def _bring_up_to_date(connection: sa.Connection, name: str, read_only: bool) -> None:
    if connection.dialect.name == "postgresql" and not read_only:
        # Of several processes that start together, one migrates and the others wait for it.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    current, head = MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()
    if current == head:
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise StorageError(
            f"database {name}: is of version {current}, newer than this program's {head}; update Mien"
        )
    if read_only:
        raise StorageError(f"database {name}: is of an older version; start `mien run` once to update it")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _cause(error: sa.exc.DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
