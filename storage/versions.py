"""The schema version of a database, and its migration to the newest one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from storage import analyst_views
from storage.errors import StorageError

_log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6D69656E
"""The key of the advisory lock, different from those of other programs on the same database."""
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))
"""Alembic's own table; the names of the files of migrations begin with their versions, which ascend."""


@dataclass(frozen=True, slots=True)
class Version:
    """The current version of a database, None for an empty one, and the newest version."""

    current: str | None
    newest: str

    @property
    def is_newest(self) -> bool:
        """Whether the database needs no migration."""
        return self.current == self.newest


def read_version(connection: sa.Connection) -> Version:
    """The version of a database.

    Raises StorageError where this program does not know the version.
    """
    known = sorted(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py"))
    current = _read_current(connection)
    if current is not None and current not in known:
        raise StorageError(f"is of version {current}, newer than this program's {known[-1]}; update Mien")
    return Version(current, known[-1])


def upgrade(connection: sa.Connection) -> Version:
    """Migrate a database to the newest version in the transaction of `connection`; its version before.

    Raises StorageError where the database is newer than this program, or the user may not migrate it.
    """
    found = read_version(connection)
    if found.is_newest:
        return found
    if not _may_change(connection):
        raise StorageError(
            f"is of version {found.current or 'none'}, not {found.newest}, which {_user(connection)} may "
            "not change; run `mien db upgrade` as the owner"
        )
    if connection.dialect.name == "postgresql":
        # If several processes start together, one migrates and the others wait for it.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        # Between statements a busy machine may need minutes to import migrations; the server notices a lost
        # client without this limit, too.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        if read_version(connection).is_newest:
            return found
        if analyst_views.drop_views(connection):
            _log.warning(
                "the upgrade drops the views analyst_*; `mien db upgrade --analyst NAME` creates them again"
            )
    _migrate(connection)
    return found


def _read_current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(sa.select(_VERSION.c.version_num)).scalar_one_or_none()


def _migrate(connection: sa.Connection) -> None:
    # Alembic takes a quarter of a second to import, and nearly every database is of the newest version.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _may_change(connection: sa.Connection) -> bool:
    """Whether the user may create tables and alter the existing ones."""
    if connection.dialect.name != "postgresql":
        return True
    if connection.exec_driver_sql("SELECT current_schema()").scalar() is None:
        raise StorageError(
            "search_path names no schema that exists; create it, or correct ?options= of the URL"
        )
    may_make = connection.exec_driver_sql("SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar()
    return bool(may_make) and _owns(connection, "alembic_version")


def is_owner(engine: sa.Engine) -> bool:
    """Whether the user may alter the tables; on PostgreSQL only their owner may."""
    with engine.connect() as connection:
        return _owns(connection, "visits")


def require_owner(engine: sa.Engine) -> None:
    """Raise StorageError where the user may not alter the tables."""
    if not is_owner(engine):
        raise StorageError("database: only the owner of its tables may do this; use the owner's URL")


def _owns(connection: sa.Connection, table: str) -> bool:
    """Whether the user may alter a table; True where it does not exist."""
    if connection.dialect.name != "postgresql":
        return True
    query = sa.text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:table)")
    return connection.execute(query, {"table": table}).scalar() is not False


def _user(connection: sa.Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_user").scalar())
