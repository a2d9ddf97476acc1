"""Opening a database: SQLite or PostgreSQL, brought to the current version, or read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.errors import StorageError

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 5000
_READER_TIMEOUT_MS = 10_000


def open_database(url: str, read_only: bool = False) -> sa.Engine:
    """An engine on the database behind an SQLAlchemy URL, migrated unless `read_only`.

    Raises StorageError where it cannot be opened, is no database, is newer than this program, cannot be
    written, or, read-only, does not exist or is older.
    """
    engine = _engine(url, read_only)
    try:
        with engine.connect() as connection:
            _bring_up_to_date(connection, url, read_only)
            connection.commit()
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise StorageError(f"database {shown(url)}: {_cause(error)}; check the path or the server") from error
    except StorageError:
        engine.dispose()
        raise
    return engine


def shown(url: str) -> str:
    """The URL without its password."""
    return sa.make_url(url).render_as_string(hide_password=True)


def _engine(url: str, read_only: bool) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, read_only)
        if parsed.get_backend_name() == "postgresql":
            return _postgresql(parsed, read_only)
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError) as error:
        raise StorageError("database URL cannot be read; write sqlite:///FILE or postgresql://...") from error
    raise StorageError(f"database {shown(url)}: write sqlite:///FILE or postgresql://USER@HOST/NAME")


def _sqlite(url: sa.URL, read_only: bool) -> sa.Engine:
    path = Path(url.database or "")
    if not url.database or not path.resolve().parent.is_dir():
        raise StorageError(f"database {path}: its folder does not exist; create it or choose another path")
    if read_only and not path.exists():
        raise StorageError(f"database {path}: does not exist yet; start `mien run` first")
    mode = "ro" if read_only else "rwc"
    engine = sa.create_engine(
        f"sqlite:///file:{path.resolve()}?mode={mode}&uri=true", connect_args={"timeout": _BUSY_MS / 1000}
    )
    pragmas = (
        ["PRAGMA query_only=ON"] if read_only else ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL"]
    )

    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    sa.event.listen(engine, "connect", prepare)
    return engine


def _postgresql(url: sa.URL, read_only: bool) -> sa.Engine:
    reader = f"-c default_transaction_read_only=on -c statement_timeout={_READER_TIMEOUT_MS}"
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "options": reader if read_only else ""},
    )


def _bring_up_to_date(connection: sa.Connection, url: str, read_only: bool) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    current, head = MigrationContext.configure(connection).get_current_revision(), scripts.get_current_head()
    if current == head:
        return
    known = {script.revision for script in scripts.walk_revisions()}
    if current is not None and current not in known:
        raise StorageError(
            f"database {shown(url)}: is of version {current}, newer than this program's {head}; update Mien"
        )
    if read_only:
        raise StorageError(
            f"database {shown(url)}: is of an older version; start `mien run` once to update it"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _cause(error: sa.exc.DBAPIError) -> str:
    lines = str(error.orig).strip().splitlines()
    return lines[0] if lines else type(error.orig).__name__
