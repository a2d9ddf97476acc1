"""PostgreSQL's roles: who may do what to the tables.

The owner makes and alters them, a writer fills them, a reader reads. Whatever a role could do to the tables
before, it can do afterwards what stands here and no more. A right to a partitioned table holds for all its
days, since rows are reached through it; tables of later versions are covered by default privileges.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from storage import partitions, tables
from storage.engine import READER_TIMEOUT_MS, cause
from storage.errors import StorageError

_APPENDED = {tables.observations.name}
_REMOVED = {tables.cameras.name, tables.camera_states.name}
_ONLY_READ = ("alembic_version", *(partitions.default_of(time) for time in partitions.TIMES))
"""What nobody writes into directly, and what `storage.check` and `storage.versions` look at."""

_READER_SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": str(READER_TIMEOUT_MS)}


@dataclass(frozen=True, slots=True)
class Role:
    """A role that may log in; `password` None leaves the one that it has, if any."""

    name: str
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", self.name):
            raise StorageError(f"role {self.name!r}: use 1 to 63 of a-z 0-9 _ and begin with a letter")


def grant(engine: sa.Engine, writer: Role | None = None, reader: Role | None = None) -> None:
    """Make the roles where they are missing and give them their rights, all or nothing.

    To be called as the owner of the database, who needs CREATEROLE as well; again after each upgrade, or
    whenever a password changes.

    Raises StorageError where there are no roles, one cannot be made, or one is the owner's own.
    """
    if engine.dialect.name != "postgresql":
        raise StorageError(f"database {engine.dialect.name}: has no roles; name none")
    if writer and reader and writer.name == reader.name:
        raise StorageError(f"role {writer.name}: cannot be both writer and reader; choose two names")
    try:
        with engine.begin() as connection:
            _close_to_the_public(connection)
            if writer:
                _introduce(connection, writer, {})
                _allow(connection, writer, _writer_rights(), "SELECT, INSERT, UPDATE")
            if reader:
                _introduce(connection, reader, _READER_SETTINGS)
                _allow(connection, reader, dict.fromkeys(_all_tables(), "SELECT"), "SELECT")
    except sa.exc.ProgrammingError as error:
        raise StorageError(
            f"roles: {cause(error)}; run this as the database's owner with CREATEROLE, or as a superuser"
        ) from error


def _close_to_the_public(connection: sa.Connection) -> None:
    """Nobody makes tables, not even temporary ones, because nobody said that they may not."""
    _execute(
        connection,
        f"REVOKE CREATE ON SCHEMA {_schema(connection)} FROM PUBLIC",
        f"REVOKE TEMPORARY ON DATABASE {_database(connection)} FROM PUBLIC",
    )


def _introduce(connection: sa.Connection, role: Role, settings: dict[str, str]) -> None:
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


def _allow(connection: sa.Connection, role: Role, rights: dict[str, str], later: str) -> None:
    schema = _schema(connection)
    coming = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}"
    _execute(
        connection,
        f"GRANT USAGE ON SCHEMA {schema} TO {role.name}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {role.name}",
        f"REVOKE ALL ON {', '.join(_all_tables())} FROM {role.name}",
        f"{coming} REVOKE ALL ON TABLES FROM {role.name}",
        f"{coming} GRANT {later} ON TABLES TO {role.name}",
    )
    _execute(connection, *(f"GRANT {these} ON {table} TO {role.name}" for table, these in rights.items()))


def _writer_rights() -> dict[str, str]:
    rights = {}
    for table in tables.metadata.tables:
        more = "" if table in _APPENDED else ", UPDATE, DELETE" if table in _REMOVED else ", UPDATE"
        rights[table] = f"SELECT, INSERT{more}"
    return rights | dict.fromkeys(_ONLY_READ, "SELECT")


def _all_tables() -> list[str]:
    return [*tables.metadata.tables, *_ONLY_READ]


def _verifier(connection: sa.Connection, role: Role) -> str:
    """What the server keeps of a password: it never learns the password itself, nor does its log."""
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
