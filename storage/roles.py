"""Roles of PostgreSQL with the least privileges: owner, writer and reader.

The owner creates and alters the tables, a writer stores rows, a reader reads them. `grant` replaces all
privileges that a role had on the tables. A privilege on a partitioned table covers its day partitions, since
rows are accessed through the table; default privileges cover the tables of later versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from storage import day_partitions, tables
from storage.errors import DatabaseError, DatabaseUnavailable, StorageError
from storage.postgresql_server import READER_TIMEOUT_MS

_APPEND_ONLY = {tables.observations.name}
_DELETABLE = {tables.cameras.name, tables.camera_states.name}
_READ_ONLY = (
    "alembic_version",
    *(day_partitions.default_partition(time) for time in day_partitions.PARTITION_COLUMNS),
)
"""Tables that `storage.check` and `storage.versions` read and no role writes directly."""

_READER_SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": str(READER_TIMEOUT_MS)}


@dataclass(frozen=True, slots=True)
class Role:
    """A role that may log in; `password` None leaves its password unchanged."""

    name: str
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", self.name):
            raise StorageError(f"role {self.name!r}: use 1 to 63 of a-z 0-9 _ and begin with a letter")


def grant(engine: sa.Engine, writer: Role | None = None, reader: Role | None = None) -> None:
    """Create the roles that are missing and set their privileges, in one transaction.

    The caller is the owner of the database and has CREATEROLE. Call it again after each upgrade, and to
    change a password.

    Raises StorageError where the database has no roles, or a role cannot be created or is the owner's own.
    """
    if engine.dialect.name != "postgresql":
        raise StorageError(f"database {engine.dialect.name}: has no roles; name none")
    if writer and reader and writer.name == reader.name:
        raise StorageError(f"role {writer.name}: cannot be both writer and reader; choose two names")
    try:
        with engine.begin() as connection:
            _revoke_public_privileges(connection)
            if writer:
                _create_role(connection, writer, {})
                _set_privileges(connection, writer, _writer_privileges(), "SELECT, INSERT, UPDATE")
            if reader:
                _create_role(connection, reader, _READER_SETTINGS)
                _set_privileges(connection, reader, dict.fromkeys(_all_tables(), "SELECT"), "SELECT")
    except DatabaseUnavailable:
        raise
    except DatabaseError as error:
        raise StorageError(
            f"roles: {error}; run this as the database's owner with CREATEROLE, or as a superuser"
        ) from error


def _revoke_public_privileges(connection: sa.Connection) -> None:
    """Revoke the default privilege of every role to create tables, temporary ones included."""
    _execute(
        connection,
        f"REVOKE CREATE ON SCHEMA {_schema(connection)} FROM PUBLIC",
        f"REVOKE TEMPORARY ON DATABASE {_database(connection)} FROM PUBLIC",
    )


def _create_role(connection: sa.Connection, role: Role, settings: dict[str, str]) -> None:
    query = sa.text(
        "SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = :name"
    )
    is_owner = connection.execute(query, {"name": role.name}).scalar()
    if is_owner:
        raise StorageError(f"role {role.name}: is the owner's or a superuser; choose another name")
    if is_owner is None:
        _execute(connection, f"CREATE ROLE {role.name} LOGIN")
    if role.password is not None:
        _execute(connection, f"ALTER ROLE {role.name} PASSWORD '{_verifier(connection, role)}'")
    inside = f"ALTER ROLE {role.name} IN DATABASE {_database(connection)}"
    _execute(connection, f"{inside} RESET ALL")
    _execute(connection, *(f"{inside} SET {name} = '{value}'" for name, value in settings.items()))


def _set_privileges(connection: sa.Connection, role: Role, privileges: dict[str, str], later: str) -> None:
    schema = _schema(connection)
    defaults = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}"
    _execute(
        connection,
        f"GRANT USAGE ON SCHEMA {schema} TO {role.name}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {role.name}",
        f"REVOKE ALL ON {', '.join(_all_tables())} FROM {role.name}",
        f"{defaults} REVOKE ALL ON TABLES FROM {role.name}",
        f"{defaults} GRANT {later} ON TABLES TO {role.name}",
    )
    _execute(connection, *(f"GRANT {these} ON {table} TO {role.name}" for table, these in privileges.items()))


def _writer_privileges() -> dict[str, str]:
    privileges = {}
    for table in tables.metadata.tables:
        more = "" if table in _APPEND_ONLY else ", UPDATE, DELETE" if table in _DELETABLE else ", UPDATE"
        privileges[table] = f"SELECT, INSERT{more}"
    return privileges | dict.fromkeys(_READ_ONLY, "SELECT")


def _all_tables() -> list[str]:
    return [*tables.metadata.tables, *_READ_ONLY]


def _verifier(connection: sa.Connection, role: Role) -> str:
    """The SCRAM verifier of a password, so that the server and its log never get the password itself."""
    driver: Any = connection.connection.driver_connection
    password = (role.password or "").encode()
    return str(driver.pgconn.encrypt_password(password, role.name.encode(), b"scram-sha-256").decode())


def _schema(connection: sa.Connection) -> str:
    return _quoted(connection, "current_schema()")


def _database(connection: sa.Connection) -> str:
    return _quoted(connection, "current_database()")


def _quoted(connection: sa.Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"SELECT quote_ident({name})").scalar_one())


def _execute(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(sa.text(statement.replace(":", r"\:")))
