"""Roles: each has the privileges for its work on a real server, and no others."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from bus.messages import CameraHealth, CameraMinute, CameraState, Partition
from common.access import LOCAL, Actor
from common.access import Role as AccessRole
from storage import tables, versions
from storage.audit import read_audit
from storage.check import check_database
from storage.engine import open_database
from storage.errors import StorageError
from storage.events import add_event, remove_event
from storage.figures.selection import Choice
from storage.figures.timeline import Timeline, Unit
from storage.figures.trend import read_trend
from storage.maintenance import create_day_partitions, maintain
from storage.newest_result import read_newest_result
from storage.protection import Protection, change_protection
from storage.registry import CameraRegistry, CameraRow
from storage.retention import Retention, cutoffs_before, purge
from storage.roles import Role, Roles, grant
from storage.sessions import end_session, read_session, record_refusal, start_session
from storage.users import PasswordFile, add_user
from storage.versions import is_owner
from storage.writer import Writer
from tests.support.databases import T0, administrator, fresh_database, observation, results, rows, visit

pytestmark = pytest.mark.integration

PARTITION = Partition("frames", 0)
TABLES = sorted(tables.metadata.tables)
K = 10
WRITABLE = "SET default_transaction_read_only = off"


@dataclass(frozen=True)
class Urls:
    """The URLs of one database for each of its roles."""

    owner: str
    writer: str
    reader: str
    analyst: str
    operator: str

    def name(self, which: str) -> str:
        return str(sa.make_url(getattr(self, which)).username)

    def roles(self) -> Roles:
        """The roles besides the owner."""
        return Roles(*(Role(self.name(each)) for each in ("writer", "reader", "analyst", "operator")))


@contextmanager
def all_roles(folder: Path) -> Iterator[Urls]:
    """A database whose owner is no superuser; an administrator prepares it as docs/operations.md says."""
    mark = uuid.uuid4().hex[:8]
    names = [f"{kind}_{mark}" for kind in ("owner", "writer", "reader", "analyst", "operator")]
    with fresh_database("postgresql", folder) as url, ExitStack() as stack:
        server = sa.make_url(url)
        for name in names:
            stack.enter_context(role(url, name))
        with administrator() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {server.database} OWNER TO {names[0]}")
        with plain(url) as connection:
            for statement in administrator_statements(str(server.database), names[2:]):
                connection.exec_driver_sql(statement)
        urls = Urls(*(server.set(username=name).render_as_string(hide_password=False) for name in names))
        with opened(urls.owner) as engine:
            assert grant(engine, urls.roles(), K) == []
            create_day_partitions(engine, T0)
        yield urls


def administrator_statements(database: str, readers: list[str]) -> list[str]:
    """What docs/operations.md asks an administrator to run in the new database, after the roles exist."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    block = re.split(r"<!-- /?administrator.*-->", text)[1].replace("DATABASE mien ", f"DATABASE {database} ")
    for old, new in zip(("mien_reader", "mien_analyst", "mien_operator"), readers, strict=True):
        block = block.replace(old, new)
    return [each for each in re.split(r"(?<=;)\n", block) if each.strip()]


@contextmanager
def role(url: str, name: str, attributes: str = "") -> Iterator[None]:
    """A role that can log in; it is removed afterwards, with all its privileges and objects."""
    with plain(url) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN {attributes}")
    yield
    with plain(url) as connection:
        for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
            connection.exec_driver_sql(statement.format(name))


@pytest.fixture(scope="module")
def shared_roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """Roles for tests that change nothing."""
    with all_roles(tmp_path_factory.mktemp("roles")) as roles:
        yield roles


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[Urls]:
    with all_roles(tmp_path) as roles:
        yield roles


@contextmanager
def opened(url: str, read_only: bool = False) -> Iterator[sa.Engine]:
    engine = open_database(url, read_only)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def plain(url: str) -> Iterator[sa.Connection]:
    """A session with the default settings of its role."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def refused(url: str, statement: str, before: str = "SELECT 1") -> str:
    """The error of the server for a statement that the role may not execute."""
    with plain(url) as connection:
        connection.exec_driver_sql(before)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.exec_driver_sql(statement)
    return str(caught.value.orig).splitlines()[0]


def test_a_writer_may_do_everything_that_workers_and_captures_do(roles: Urls) -> None:
    with opened(roles.writer) as engine:
        writer = Writer(engine)
        writer.positions([PARTITION])
        writer.write(
            results([visit("v1")], [observation("v1")], [CameraMinute("till", T0, analysed=1)]),
            {PARTITION: 1},
        )
        writer.write(results([visit("v1", 9, closed=True)]), {PARTITION: 2})
        writer.count(CameraMinute("till", T0, captured=3, dropped={"buffer full": 1}))
        for state in (CameraState.CONNECTING, CameraState.ONLINE):
            writer.report(CameraHealth("till", state, "", T0, T0, 5.0, T0, 0))
        assert writer.close_abandoned(T0) == 0
        registry = CameraRegistry(engine)
        registry.add(LOCAL, CameraRow("till", "demo://"), partitions=4)
        registry.pause(LOCAL, "till", "stocktaking")
        assert registry.assign_partitions(4) == {"till": 0}
        registry.remove(LOCAL, "till")
    with opened(roles.owner) as engine:
        assert len(rows(engine, tables.visit_minutes)) == len(rows(engine, tables.observations)) == 1


@pytest.mark.parametrize("table", TABLES)
def test_a_writer_may_delete_registrations_and_events_alone(shared_roles: Urls, table: str) -> None:
    alerts = {"alert_rules", "alert_rule_cameras", "alert_states"}
    if table in {"cameras", "camera_states", "events", "event_cameras"} | alerts:
        with plain(shared_roles.writer) as connection:
            connection.exec_driver_sql(f"DELETE FROM {table}")
    else:
        assert refused(shared_roles.writer, f"DELETE FROM {table}") == f"permission denied for table {table}"
    assert refused(shared_roles.writer, f"TRUNCATE {table}") == f"permission denied for table {table}"


@pytest.mark.parametrize(
    ("statement", "answer"),
    [
        ("CREATE TABLE mine (a int)", "permission denied for schema public"),
        ("CREATE TEMPORARY TABLE mine (a int)", "permission denied to create temporary tables"),
        ("DROP TABLE visits", "must be owner of table visits"),
        ("ALTER TABLE visits ADD COLUMN more int", "must be owner of table visits"),
        ("ALTER TABLE visits DETACH PARTITION visits_20231114", "must be owner of table visits"),
        ("DROP TABLE visits_20231114", "must be owner of table visits_20231114"),
        ("CREATE INDEX mine ON visits (camera_id)", "must be owner of table visits"),
        ("UPDATE alembic_version SET version_num = '0'", "permission denied for table alembic_version"),
        ("DELETE FROM protection_choices", "permission denied for table protection_choices"),
        ("UPDATE protection_choices SET value = 1", "permission denied for table protection_choices"),
        ("UPDATE observations SET p_anger = 1", "permission denied for table observations"),
        ("INSERT INTO visits_default DEFAULT VALUES", "permission denied for table visits_default"),
        ("UPDATE observations_20231114 SET p_anger = 1", "permission denied for table observations_20231114"),
        ("CREATE ROLE mine", "permission denied to create role"),
        ("CREATE DATABASE mine", "permission denied to create database"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied for function pg_read_file"),
        (
            "COPY visits TO PROGRAM 'cat'",
            "must be superuser or have privileges of the pg_execute_server_program",
        ),
    ],
)
def test_a_writer_may_change_rows_alone(shared_roles: Urls, statement: str, answer: str) -> None:
    assert refused(shared_roles.writer, statement).startswith(answer)


def test_a_reader_may_read_every_figure(roles: Urls) -> None:
    with opened(roles.writer) as engine:
        Writer(engine).write(results([visit(f"v{i}", closed=True) for i in range(3)]), {})
    with opened(roles.reader, read_only=True) as engine:
        whole = read_trend(
            engine,
            Timeline((T0, T0 + 60_000_000), Unit.MINUTE, T0 + 60_000_000, ZoneInfo("UTC")),
            Choice(suppress_below=1),
        ).whole
        assert whole.visits == 3
        assert read_newest_result(engine) == T0 + 1_000_000
        assert CameraRegistry(engine).cameras() == []
        assert len(check_database(engine, T0)) > 5


@pytest.mark.parametrize("table", [*TABLES, "alembic_version", "visits_20231114", "visits_default"])
def test_a_reader_cannot_write_even_in_a_writable_session(shared_roles: Urls, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
        verb = statement.split()[0]
        assert refused(shared_roles.reader, statement) == f"cannot execute {verb} in a read-only transaction"
        assert refused(shared_roles.reader, statement, WRITABLE) == f"permission denied for table {table}"


def test_a_reader_cannot_create_tables_even_in_a_writable_session(shared_roles: Urls) -> None:
    for kind in ("TABLE", "TEMPORARY TABLE"):
        answer = refused(shared_roles.reader, f"CREATE {kind} mine (a int)", WRITABLE)
        assert answer.startswith("permission denied")


def test_a_readers_statements_have_a_time_limit(shared_roles: Urls) -> None:
    with plain(shared_roles.reader) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"
    with plain(shared_roles.writer) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
    answer = refused(shared_roles.reader, "SELECT pg_sleep(20)", "SET statement_timeout = '50ms'")
    assert answer == "canceling statement due to statement timeout"


def test_later_day_partitions_and_tables_are_covered(roles: Urls) -> None:
    with opened(roles.owner) as engine:
        create_day_partitions(engine, T0 + 30 * 86_400_000_000)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE later (at bigint)")
    late = visit("late", closed=True, first_seen=T0 + 30 * 86_400_000_000)
    with opened(roles.writer) as engine:
        Writer(engine).write(results([late]), {})
    with plain(roles.writer) as connection:
        connection.exec_driver_sql("INSERT INTO later VALUES (1)")
    with plain(roles.reader) as connection:
        assert connection.exec_driver_sql("SELECT visit_id FROM visits").scalars().all() == ["late"]
        assert connection.exec_driver_sql("SELECT at FROM later").scalar() == 1


PARTITIONS = ("visits_20231114", "observations_20231114")
"""Day partitions of `all_roles`."""


@pytest.mark.parametrize("which", ["writer", "reader", "operator", "analyst"])
@pytest.mark.parametrize("partition", PARTITIONS)
def test_no_role_uses_a_day_partition_itself(shared_roles: Urls, which: str, partition: str) -> None:
    for statement in (f"SELECT * FROM {partition}", *_writes_of(partition)):
        answer = refused(getattr(shared_roles, which), statement, WRITABLE)
        assert answer == f"permission denied for table {partition}"


def _writes_of(table: str) -> list[str]:
    return [each.format(table, "visit_id") for each in WRITES.values()]


def test_a_reader_that_becomes_an_analyst_reads_no_single_visit(roles: Urls) -> None:
    """An earlier version left privileges on day partitions, which a REVOKE on the table does not change."""
    reader = roles.name("reader")
    with opened(roles.writer) as engine:
        Writer(engine).write(results([visit(f"v{number}", closed=True) for number in range(3)]), {})
    with opened(roles.owner) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"GRANT SELECT ON {', '.join(PARTITIONS)} TO {reader}, PUBLIC")
        grant(engine, Roles(analyst=Role(reader)), K)
        create_day_partitions(engine, T0 + 30 * 86_400_000_000)
    with plain(roles.reader) as connection:
        assert connection.exec_driver_sql("SELECT * FROM analyst_hours").all() == []
    for table in ("visits", "visits_default", *PARTITIONS, "visits_20231214"):
        assert refused(roles.reader, f"SELECT * FROM {table}") == f"permission denied for table {table}"


def test_day_partitions_that_the_owner_alone_may_use_are_deleted(roles: Urls) -> None:
    with opened(roles.writer) as engine:
        Writer(engine).write(results([visit("v1", closed=True)], [observation("v1")]), {})
    with opened(roles.owner) as engine:
        deleted = purge(engine, cutoffs_before(T0 + 86_400_000_000))
    assert (deleted["visits"], deleted["observations"]) == (1, 1)
    with plain(roles.reader) as connection:
        assert connection.exec_driver_sql("SELECT to_regclass('visits_20231114')").scalar() is None
        assert connection.exec_driver_sql("SELECT count(*) FROM visits").scalar() == 0


def test_earlier_privileges_of_a_role_are_revoked(roles: Urls) -> None:
    reader, writer = roles.name("reader"), roles.name("writer")
    with opened(roles.owner) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"GRANT ALL ON visits, alembic_version TO {reader}, {writer}")
        grant(engine, Roles(Role(writer), Role(reader)), K)
    for url in (roles.reader, roles.writer):
        assert refused(url, "DELETE FROM visits", WRITABLE) == "permission denied for table visits"


def test_only_the_owner_may_run_maintenance(roles: Urls) -> None:
    with opened(roles.writer) as engine:
        assert not is_owner(engine)
        with pytest.raises(StorageError, match="only the owner of its tables may do this"):
            maintain(engine, Retention(), T0)
        with pytest.raises(StorageError, match="only the owner of its tables may do this"):
            purge(engine, cutoffs_before(T0))
    with opened(roles.owner) as engine:
        assert is_owner(engine)
        assert maintain(engine, Retention(), T0 + 86_400_000_000).created["visits"] != []


def test_a_writer_cannot_migrate(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = f"writer_{uuid.uuid4().hex[:8]}"
    as_writer = sa.make_url(postgresql_url).set(username=writer).render_as_string(hide_password=False)
    newest = max(path.name[:4] for path in (versions.MIGRATIONS / "versions").glob("0*.py"))
    with role(postgresql_url, writer):
        cause = f"which {writer} may not change; run `mien db upgrade` as the owner"
        with monkeypatch.context() as patch:
            patch.setattr(versions, "_migrate", lambda *_: pytest.fail("a migration was tried"))
            assert f"is of version none, not {newest}, {cause}" in refusal(as_writer)
        with opened(postgresql_url) as engine:
            grant(engine, Roles(Role(writer)), K)
        open_database(as_writer).dispose()
        with plain(postgresql_url) as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
        with monkeypatch.context() as patch:
            patch.setattr(versions, "_migrate", lambda *_: pytest.fail("a migration was tried"))
            assert f"is of version none, not {newest}, {cause}" in refusal(as_writer)


def refusal(url: str) -> str:
    with pytest.raises(StorageError) as caught:
        open_database(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_reader_cannot_open_the_database_for_writing(shared_roles: Urls) -> None:
    assert "cannot execute UPDATE in a read-only transaction" in refusal(shared_roles.reader)


@pytest.mark.parametrize("name", ["Writer", "1st", "wri-ter", 'x"; DROP TABLE visits; --', "", "x" * 64])
def test_role_names_that_need_quotes_are_refused(name: str) -> None:
    with pytest.raises(StorageError, match="use 1 to 63 of a-z"):
        Role(name)


def test_a_password_is_not_in_the_repr() -> None:
    assert "hush" not in repr(Role("writer", "hush"))


def test_the_owner_cannot_become_writer_or_reader(shared_roles: Urls) -> None:
    owner = Role(shared_roles.name("owner"))
    with opened(shared_roles.owner) as engine:
        for roles in (Roles(owner), Roles(None, owner), Roles(None, None, owner), Roles(Role("postgres"))):
            with pytest.raises(StorageError, match="is the owner's or a superuser; choose another name"):
                grant(engine, roles, K)


def test_one_role_cannot_be_two() -> None:
    with pytest.raises(StorageError, match="cannot be two of writer, reader, analyst, operator"):
        Roles(Role("same"), None, Role("same"))


def test_an_owner_who_may_not_create_roles_is_told_who_may(roles: Urls) -> None:
    with opened(roles.owner) as engine:
        with pytest.raises(
            StorageError, match=r"roles: permission denied to create role; .* after an administrator created"
        ) as caught:
            grant(engine, Roles(Role(f"{roles.name('writer')}_2")), K)
        assert "\n" not in str(caught.value)


def test_an_owner_who_creates_roles_is_refused_before_postgresql_16(roles: Urls) -> None:
    """There the owner could grant itself the right to run programs on the server."""
    name = f"{roles.name('writer')}_2"
    with administrator() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {roles.name('owner')} CREATEROLE")
        version = connection.exec_driver_sql("SHOW server_version_num").scalar()
    with opened(roles.owner) as engine:
        if int(str(version)) < 160000:
            with pytest.raises(StorageError, match="before PostgreSQL 16 an owner with CREATEROLE"):
                grant(engine, Roles(Role(name)), K)
            return
        grant(engine, Roles(Role(name, "hush")), K)
    refused(roles.owner, f"GRANT pg_execute_server_program TO {name}")
    with plain(roles.owner) as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


def test_a_role_that_can_run_programs_is_refused(roles: Urls) -> None:
    with administrator() as connection:
        connection.exec_driver_sql(f"GRANT pg_execute_server_program TO {roles.name('reader')}")
    with (
        opened(roles.owner) as engine,
        pytest.raises(StorageError, match="is a member of pg_execute_server_program"),
    ):
        grant(engine, roles.roles(), K)


LARGE_OBJECTS = (
    "lo_creat(-1)",
    "lo_create(0)",
    r"lo_from_bytea(0, '\x00')",
    r"lo_put(1, 0, '\x00')",
    "lo_import('/etc/hostname')",
    "lo_export(1, '/tmp/x')",
    r"lowrite(0, '\x00')",
    "lo_open(1, 131072)",
    "lo_unlink(1)",
    "lo_truncate(0, 1)",
)


@pytest.mark.parametrize("which", ["writer", "reader", "analyst"])
@pytest.mark.parametrize("call", LARGE_OBJECTS)
def test_no_role_can_store_large_objects(shared_roles: Urls, which: str, call: str) -> None:
    answer = refused(getattr(shared_roles, which), f"SELECT {call}", WRITABLE)
    assert answer == f"permission denied for function {call.split('(', maxsplit=1)[0]}"


def test_a_warning_remains_until_an_administrator_revoked_large_objects(postgresql_url: str) -> None:
    """A superuser who grants the roles revokes them."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    url = sa.make_url(postgresql_url)
    with role(postgresql_url, name), role(postgresql_url, f"owner_{name}"):
        with administrator() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {url.database} OWNER TO owner_{name}")
        with plain(postgresql_url) as connection:
            connection.exec_driver_sql(f"ALTER SCHEMA public OWNER TO owner_{name}")
            for statement in administrator_statements(str(url.database), [name, name, name]):
                if "ALTER ROLE" in statement:
                    connection.exec_driver_sql(statement)
        with opened(url.set(username=f"owner_{name}").render_as_string(hide_password=False)) as engine:
            (warning,) = grant(engine, Roles(None, Role(name)), K)
        assert warning.startswith("every role can store large objects in this database")
        with opened(postgresql_url) as engine:
            assert grant(engine, Roles(None, Role(name)), K) == []
        as_reader = url.set(username=name).render_as_string(hide_password=False)
        assert refused(as_reader, "SELECT lo_create(0)", WRITABLE).startswith("permission denied")


def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    with (
        opened(f"sqlite:///{tmp_path}/mien.db") as engine,
        pytest.raises(StorageError, match="has no roles; name none"),
    ):
        grant(engine, Roles(Role("writer")), K)


WRITES = {
    "INSERT": "INSERT INTO {} DEFAULT VALUES",
    "UPDATE": "UPDATE {0} SET {1} = {1}",
    "DELETE": "DELETE FROM {}",
}
CHANGED = {
    "cameras": {"INSERT", "UPDATE", "DELETE"},
    "camera_identities": {"INSERT", "UPDATE"},
    "camera_pauses": {"INSERT", "UPDATE"},
    "camera_states": {"DELETE"},
    "events": {"INSERT", "UPDATE", "DELETE"},
    "event_cameras": {"INSERT", "DELETE"},
    "alert_rules": {"INSERT", "UPDATE", "DELETE"},
    "alert_rule_cameras": {"INSERT", "DELETE"},
    "alert_states": {"DELETE"},
    "alert_deliveries": {"INSERT"},
    "protection_choices": {"INSERT", "UPDATE", "DELETE"},
    "dashboard_sessions": {"INSERT", "DELETE"},
    "audit_log": {"INSERT"},
}
"""What the role of a dashboard may do, besides reading."""


@pytest.mark.parametrize("table", [*TABLES, "alembic_version", "visits_default"])
def test_an_operator_changes_what_people_change_and_nothing_else(shared_roles: Urls, table: str) -> None:
    with plain(shared_roles.owner) as connection:
        allowed = connection.exec_driver_sql(
            "SELECT privilege_type FROM information_schema.role_table_grants "
            f"WHERE grantee = '{shared_roles.name('operator')}' AND table_name = '{table}'"
        ).scalars()
        assert set(allowed) == {"SELECT"} | CHANGED.get(table, set())
    if table in TABLES:
        column = next(iter(tables.metadata.tables[table].columns)).name
        for verb in WRITES.keys() - CHANGED.get(table, set()):
            statement = WRITES[verb].format(table, column)
            assert refused(shared_roles.operator, statement) == f"permission denied for table {table}"


def test_an_operator_does_everything_that_the_dashboard_does(roles: Urls, tmp_path: Path) -> None:
    with opened(roles.operator) as engine:
        event = add_event(engine, LOCAL, "Campaign", T0, T0 + 1)
        remove_event(engine, LOCAL, event.id)
        token = start_session(engine, LOCAL, "password", "c", 8, "")
        assert read_session(engine, token)
        record_refusal(engine, "eve", "password", "wrong", "")
        end_session(engine, token)
        registry = CameraRegistry(engine)
        registry.add(LOCAL, CameraRow("till", "demo://"))
        registry.pause(LOCAL, "till", "repair")
        registry.resume(LOCAL, "till")
        registry.remove(LOCAL, "till")
        file = PasswordFile(tmp_path / "users.json")
        add_user(engine, LOCAL, file, Actor("ben", AccessRole.ANALYST), "three small green apples")
        configured = Protection(K, 400, 30, 400)
        for k in (K + 1, K + 2, K):
            assert change_protection(engine, LOCAL, configured, {"suppress_below": k}).suppress_below == k
        assert len(read_audit(engine, LOCAL)) == 13
    with opened(roles.operator, read_only=True) as engine:
        assert read_newest_result(engine) is None


@pytest.mark.parametrize("which", ["writer", "reader"])
def test_no_other_role_starts_a_session_or_reads_one(shared_roles: Urls, which: str) -> None:
    url = getattr(shared_roles, which)
    for statement in ("SELECT * FROM dashboard_sessions", "INSERT INTO dashboard_sessions DEFAULT VALUES"):
        assert refused(url, statement, WRITABLE) == "permission denied for table dashboard_sessions"


def test_an_operator_changes_no_row_of_the_audit_log_and_sees_the_time_limit(shared_roles: Urls) -> None:
    with plain(shared_roles.operator) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"
    for statement in ("UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        assert refused(shared_roles.operator, statement) == "permission denied for table audit_log"
