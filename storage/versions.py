"""The version of a database: whether it is this program's, and what makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage.errors import StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6D69656E
"""Any number that no other program on the same PostgreSQL database locks."""


@dataclass(frozen=True, slots=True)
class Version:
    """The version that a database is of, None for an empty one, and the one that it should be of."""

    current: str | None
    newest: str

    @property
    def is_newest(self) -> bool:
        """Whether nothing is to be done."""
        return self.current == self.newest


def version(connection: sa.Connection) -> Version:
    """What a database is of.

    Raises StorageError where this program does not know it.
    """
    scripts = ScriptDirectory.from_config(_config())
    newest = scripts.get_current_head()
    assert newest
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise StorageError(f"is of version {current}, newer than this program's {newest}; update Mien")
    return Version(current, newest)


def upgrade(connection: sa.Connection) -> Version:
    """Bring a database to the newest version within the transaction of `connection`; what it was of.

    Raises StorageError where it is newer than this program, or the user of `connection` may not change it.
    """
    if connection.dialect.name == "postgresql":
        # Of several processes that start together, one migrates and the others wait for it.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    found = version(connection)
    if not found.is_newest:
        if not _may_change(connection):
            raise StorageError(
                f"is of version {found.current or 'none'}, not {found.newest}, which {_user(connection)} may "
                "not change; run `mien db upgrade` as the owner"
            )
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _may_change(connection: sa.Connection) -> bool:
    """Whether the user may make tables, and alter those that are there."""
    if connection.dialect.name != "postgresql":
        return True
    may_make = connection.exec_driver_sql("SELECT has_schema_privilege(current_schema(), 'CREATE')").scalar()
    return bool(may_make) and _owns(connection, "alembic_version")


def is_owner(engine: sa.Engine) -> bool:
    """Whether the user may alter the tables: on PostgreSQL their owner may, nobody else."""
    with engine.connect() as connection:
        return _owns(connection, "visits")


def require_owner(engine: sa.Engine) -> None:
    """Raise StorageError where the user may not alter the tables."""
    if not is_owner(engine):
        raise StorageError("database: only the owner of its tables may do this; use the owner's URL")


def _owns(connection: sa.Connection, table: str) -> bool:
    """Whether the user may alter a table, or there is none of that name."""
    if connection.dialect.name != "postgresql":
        return True
    query = sa.text("SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:table)")
    return connection.execute(query, {"table": table}).scalar() is not False


def _user(connection: sa.Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_user").scalar())
