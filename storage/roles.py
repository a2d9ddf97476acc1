"""Roles of PostgreSQL with the least privileges: owner, writer, reader, operator and analyst.

The owner creates and alters the tables, a writer stores rows, a reader reads them, an operator reads them and
changes what people change at the dashboard, an analyst reads the views of `storage.analyst_views` alone.
`grant` replaces all privileges that a role had on the tables. A privilege on a partitioned table covers its
day partitions, since rows are accessed through the table; on a day partition itself no role has privileges.
Default privileges cover the tables of later versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from storage import day_partitions, tables
from storage.analyst_views import VIEWS, create_views
from storage.errors import DatabaseError, DatabaseUnavailable, StorageError
from storage.postgresql_server import READER_TIMEOUT_MS

_APPEND_ONLY = {tables.observations.name, tables.audit_log.name}
_DELETABLE = {
    tables.cameras.name,
    tables.camera_states.name,
    tables.events.name,
    tables.event_cameras.name,
    tables.alert_rules.name,
    tables.alert_rule_cameras.name,
    tables.alert_states.name,
}
_CHANGED_BY_OPERATORS = {
    tables.cameras.name: "INSERT, UPDATE, DELETE",
    tables.camera_identities.name: "INSERT, UPDATE",
    tables.camera_pauses.name: "INSERT, UPDATE",
    tables.camera_states.name: "DELETE",
    tables.events.name: "INSERT, UPDATE, DELETE",
    tables.event_cameras.name: "INSERT, DELETE",
    tables.alert_rules.name: "INSERT, UPDATE, DELETE",
    tables.alert_rule_cameras.name: "INSERT, DELETE",
    tables.alert_states.name: "DELETE",
    # A test message.
    tables.alert_deliveries.name: "INSERT",
    tables.protection_choices.name: "INSERT, UPDATE, DELETE",
    tables.dashboard_sessions.name: "INSERT, DELETE",
    tables.audit_log.name: "INSERT",
}
"""What a dashboard writes for the people who use it, and for their sessions."""

_OF_OPERATORS_ALONE = {tables.dashboard_sessions.name}
"""Tables that no other role uses: whoever inserts a session is an operator of the dashboard."""

_CHANGED_BY_PEOPLE_ALONE = {tables.protection_choices.name}
"""Tables that a writer only reads: a shorter retention deletes rows, which no worker may bring about."""

_READ_ONLY = (
    "alembic_version",
    *(day_partitions.default_partition(time) for time in day_partitions.PARTITION_COLUMNS),
)
"""Tables that `storage.check` and `storage.versions` read and no role writes directly."""

_FIRST_SAFE_CREATEROLE = 160000
"""The version of PostgreSQL from which on CREATEROLE does not include the roles of the server itself."""

_POWERFUL = (
    *("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files"),
    *("pg_read_all_data", "pg_write_all_data", "pg_signal_backend", "pg_maintain"),
)
"""Roles of the server of which no role of Mien may be a member."""

_OPERATOR_SETTINGS = {"statement_timeout": str(READER_TIMEOUT_MS)}
_READER_SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": str(READER_TIMEOUT_MS)}


@dataclass(frozen=True, slots=True)
class Role:
    """A role that may log in; `password` None leaves its password unchanged."""

    name: str
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", self.name):
            raise StorageError(f"role {self.name!r}: use 1 to 63 of a-z 0-9 _ and begin with a letter")


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles to be created or updated; those that are None are left as they are."""

    writer: Role | None = None
    reader: Role | None = None
    analyst: Role | None = None
    operator: Role | None = None

    def __post_init__(self) -> None:
        names = [each.name for each in (self.writer, self.reader, self.analyst, self.operator) if each]
        for name in names:
            if names.count(name) > 1:
                raise StorageError(
                    f"role {name}: cannot be two of writer, reader, analyst, operator; choose two names"
                )


def grant(engine: sa.Engine, roles: Roles, suppress_below: int) -> list[str]:
    """Create the roles that are missing and set their privileges, in one transaction; returns warnings.

    The caller is the owner of the database. From PostgreSQL 16 on it may have CREATEROLE and create the
    roles; before, that would let it run programs on the server, so an administrator creates them. Call it
    again after each upgrade, and to change a password or the configured `suppress_below`, which the analyst's
    views contain. A larger one that an operator chooses applies in them at once.

    Raises StorageError where the database has no roles, or a role cannot be created or is the owner's own.
    """
    if engine.dialect.name != "postgresql":
        raise StorageError(f"database {engine.dialect.name}: has no roles; name none")
    try:
        with engine.begin() as connection:
            _refuse_unsafe_owner(connection)
            _revoke_public_privileges(connection)
            day_partitions.revoke_direct_privileges(connection)
            if roles.writer:
                _create_role(connection, roles.writer, {})
                _set_privileges(connection, roles.writer, _writer_privileges(), "SELECT, INSERT, UPDATE")
            if roles.reader:
                _create_role(connection, roles.reader, _READER_SETTINGS)
                _set_privileges(connection, roles.reader, _reader_privileges(), "SELECT")
            if roles.operator:
                _create_role(connection, roles.operator, _OPERATOR_SETTINGS)
                _set_privileges(connection, roles.operator, _operator_privileges(), "SELECT")
            if roles.analyst:
                create_views(connection, suppress_below)
                _create_role(connection, roles.analyst, _READER_SETTINGS)
                _set_privileges(connection, roles.analyst, dict.fromkeys(VIEWS, "SELECT"), None)
            return _close_large_objects(connection)
    except DatabaseUnavailable:
        raise
    except DatabaseError as error:
        raise StorageError(
            f"roles: {error}; run this as the database's owner, after an administrator created the roles "
            "(docs/operations.md)"
        ) from error


def _refuse_unsafe_owner(connection: sa.Connection) -> None:
    """Before PostgreSQL 16, whoever creates roles may also become one that runs programs on the server."""
    version, creates_roles = connection.exec_driver_sql(
        "SELECT current_setting('server_version_num')::int, rolcreaterole AND NOT rolsuper FROM pg_roles "
        "WHERE rolname = current_user"
    ).one()
    if creates_roles and version < _FIRST_SAFE_CREATEROLE:
        raise StorageError(
            "roles: before PostgreSQL 16 an owner with CREATEROLE can run programs on the server; let an "
            "administrator create the roles, and ALTER ROLE ... NOCREATEROLE (docs/operations.md)"
        )


def _close_large_objects(connection: sa.Connection) -> list[str]:
    """Revoke the functions with which any role can store files in the database, if the user may."""
    functions = connection.exec_driver_sql(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND proname ~ '^lo(_|read$|write$)' AND has_function_privilege('public', oid, 'EXECUTE')"
    ).scalars()
    found = list(functions)
    if not found:
        return []
    if connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar():
        _execute(connection, *(f"REVOKE EXECUTE ON FUNCTION {each} FROM PUBLIC" for each in found))
        return []
    return [
        "every role can store large objects in this database; let an administrator revoke their functions "
        "(docs/operations.md)"
    ]


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
    _refuse_powerful_role(connection, role)
    if role.password is not None:
        _execute(connection, f"ALTER ROLE {role.name} PASSWORD '{_verifier(connection, role)}'")
    if _read_settings(connection, role) != settings:
        inside = f"ALTER ROLE {role.name} IN DATABASE {_database(connection)}"
        _execute(connection, f"{inside} RESET ALL")
        _execute(connection, *(f"{inside} SET {name} = '{value}'" for name, value in settings.items()))


def _refuse_powerful_role(connection: sa.Connection, role: Role) -> None:
    query = sa.text(
        "SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles WHERE rolname = ANY(:powerful) "
        "AND pg_has_role(:name, oid, 'MEMBER')"
    )
    if others := connection.execute(query, {"name": role.name, "powerful": list(_POWERFUL)}).scalar():
        raise StorageError(f"role {role.name}: is a member of {others}, which can do more; revoke it")


def _read_settings(connection: sa.Connection, role: Role) -> dict[str, str]:
    query = sa.text(
        "SELECT setconfig FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole "
        "JOIN pg_database ON pg_database.oid = setdatabase "
        "WHERE rolname = :name AND datname = current_database()"
    )
    found = connection.execute(query, {"name": role.name}).scalar() or ()
    return dict(each.split("=", 1) for each in found)


def _set_privileges(
    connection: sa.Connection, role: Role, privileges: dict[str, str], later: str | None
) -> None:
    """Grant `privileges` by table and no others, and `later` on the tables of later versions."""
    schema = _schema(connection)
    defaults = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}"
    _execute(
        connection,
        f"GRANT USAGE ON SCHEMA {schema} TO {role.name}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {role.name}",
        f"REVOKE ALL ON {', '.join(_all_tables())} FROM {role.name}",
        f"{defaults} REVOKE ALL ON TABLES FROM {role.name}",
    )
    if later:
        _execute(connection, f"{defaults} GRANT {later} ON TABLES TO {role.name}")
    _execute(connection, *(f"GRANT {these} ON {table} TO {role.name}" for table, these in privileges.items()))


def _writer_privileges() -> dict[str, str]:
    privileges = {}
    for table in tables.metadata.tables.keys() - _OF_OPERATORS_ALONE:
        more = "" if table in _APPEND_ONLY else ", UPDATE, DELETE" if table in _DELETABLE else ", UPDATE"
        privileges[table] = f"SELECT, INSERT{more}"
    return privileges | dict.fromkeys((*_READ_ONLY, *_CHANGED_BY_PEOPLE_ALONE), "SELECT")


def _reader_privileges() -> dict[str, str]:
    return dict.fromkeys((each for each in _all_tables() if each not in _OF_OPERATORS_ALONE), "SELECT")


def _operator_privileges() -> dict[str, str]:
    changed = {table: f"SELECT, {these}" for table, these in _CHANGED_BY_OPERATORS.items()}
    return dict.fromkeys(_all_tables(), "SELECT") | changed


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
