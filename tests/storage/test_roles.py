"""Roles: each can do its work on a real server, and nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import CameraHealth, CameraMinute, CameraState, Partition
from storage import tables, versions
from storage.check import check
from storage.engine import open_database
from storage.errors import StorageError
from storage.maintenance import maintain, make_days
from storage.registry import CameraRegistry, CameraRow
from storage.retention import Retention, cutoffs_before, purge
from storage.roles import Role, grant
from storage.trends import Choice, Period, newest_result, trend
from storage.versions import is_owner
from storage.writer import Writer
from tests.support.databases import T0, administrator, fresh_database, observation, results, rows, visit

LANE = Partition("frames", 0)
TABLES = sorted(tables.metadata.tables)
INSISTING = "SET default_transaction_read_only = off"


@dataclass(frozen=True)
class Roles:
    """The URLs of one database for each of its three roles."""

    owner: str
    writer: str
    reader: str

    def name(self, which: str) -> str:
        return str(sa.make_url(getattr(self, which)).username)


@contextmanager
def three_roles(folder: Path) -> Iterator[Roles]:
    """A database whose owner is no superuser, with a writer and a reader."""
    mark = uuid.uuid4().hex[:8]
    owner, writer, reader = names = [f"{kind}_{mark}" for kind in ("owner", "writer", "reader")]
    with fresh_database("postgresql", folder) as url, role(url, owner, "CREATEROLE"):
        server = sa.make_url(url)
        with administrator() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {server.database} OWNER TO {owner}")
        roles = Roles(*(server.set(username=name).render_as_string(hide_password=False) for name in names))
        with role(url, writer), role(url, reader):
            with opened(roles.owner) as engine:
                grant(engine, Role(writer), Role(reader))
                make_days(engine, T0)
            yield roles


@contextmanager
def role(url: str, name: str, attributes: str = "") -> Iterator[None]:
    """A role that can log in; it and whatever it may or owns is gone afterwards."""
    with plain(url) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN {attributes}")
    yield
    with plain(url) as connection:
        for statement in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}", "DROP ROLE {}"):
            connection.exec_driver_sql(statement.format(name))


@pytest.fixture(scope="module")
def shared_roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    """Roles for those who only see what is refused."""
    with three_roles(tmp_path_factory.mktemp("roles")) as roles:
        yield roles


@pytest.fixture
def roles(tmp_path: Path) -> Iterator[Roles]:
    with three_roles(tmp_path) as roles:
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
    """A session as a role gets it that sets nothing by itself."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def refused(url: str, statement: str, before: str = "SELECT 1") -> str:
    """What the server says to one statement of a role, which it does not carry out."""
    with plain(url) as connection:
        connection.exec_driver_sql(before)
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.exec_driver_sql(statement)
    return str(caught.value.orig).splitlines()[0]


def test_a_writer_does_all_that_workers_and_captures_do(roles: Roles) -> None:
    with opened(roles.writer) as engine:
        writer = Writer(engine)
        writer.positions([LANE])
        writer.write(
            results([visit("v1")], [observation("v1")], [CameraMinute("till", T0, analysed=1)]), {LANE: 1}
        )
        writer.write(results([visit("v1", 9, closed=True)]), {LANE: 2})
        writer.count(CameraMinute("till", T0, captured=3, dropped={"buffer full": 1}))
        for state in (CameraState.CONNECTING, CameraState.ONLINE):
            writer.report(CameraHealth("till", state, "", T0, T0, 5.0, T0, 0))
        assert writer.close_abandoned(T0) == 0
        registry = CameraRegistry(engine)
        registry.add(CameraRow("till", "demo://"), partitions=4)
        registry.pause("till", "stocktaking")
        assert registry.assign_partitions(4) == {"till": 0}
        registry.remove("till")
    with opened(roles.owner) as engine:
        assert len(rows(engine, tables.visit_minutes)) == len(rows(engine, tables.observations)) == 1


@pytest.mark.parametrize("table", TABLES)
def test_a_writer_deletes_nothing_but_registrations(shared_roles: Roles, table: str) -> None:
    if table in {"cameras", "camera_states"}:
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
        ("UPDATE observations SET p_anger = 1", "permission denied for table observations"),
        ("INSERT INTO visits_default DEFAULT VALUES", "permission denied for table visits_default"),
        ("CREATE ROLE mine", "permission denied to create role"),
        ("CREATE DATABASE mine", "permission denied to create database"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied for function pg_read_file"),
        (
            "COPY visits TO PROGRAM 'cat'",
            "must be superuser or have privileges of the pg_execute_server_program",
        ),
    ],
)
def test_a_writer_changes_nothing_but_rows(shared_roles: Roles, statement: str, answer: str) -> None:
    assert refused(shared_roles.writer, statement).startswith(answer)


def test_a_reader_reads_every_figure(roles: Roles) -> None:
    with opened(roles.writer) as engine:
        Writer(engine).write(results([visit(f"v{i}", closed=True) for i in range(3)]), {})
    with opened(roles.reader, read_only=True) as engine:
        whole = trend(engine, Period(T0, 60_000_000, 1, now=T0 + 60_000_000), Choice(suppress_below=1)).whole
        assert whole.visits == 3
        assert newest_result(engine) == T0 + 1_000_000
        assert CameraRegistry(engine).cameras() == []
        assert len(check(engine, T0)) > 5


@pytest.mark.parametrize("table", [*TABLES, "alembic_version", "visits_20231114", "visits_default"])
def test_a_reader_writes_nothing_even_if_it_insists(shared_roles: Roles, table: str) -> None:
    for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
        verb = statement.split()[0]
        assert refused(shared_roles.reader, statement) == f"cannot execute {verb} in a read-only transaction"
        assert refused(shared_roles.reader, statement, INSISTING) == f"permission denied for table {table}"


def test_a_reader_makes_nothing_even_if_it_insists(shared_roles: Roles) -> None:
    for kind in ("TABLE", "TEMPORARY TABLE"):
        answer = refused(shared_roles.reader, f"CREATE {kind} mine (a int)", INSISTING)
        assert answer.startswith("permission denied")


def test_a_readers_statements_have_a_time_limit(shared_roles: Roles) -> None:
    with plain(shared_roles.reader) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"
    with plain(shared_roles.writer) as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
    answer = refused(shared_roles.reader, "SELECT pg_sleep(20)", "SET statement_timeout = '50ms'")
    assert answer == "canceling statement due to statement timeout"


def test_days_and_tables_that_come_later_are_covered(roles: Roles) -> None:
    with opened(roles.owner) as engine:
        make_days(engine, T0 + 30 * 86_400_000_000)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE events (at bigint)")
    late = visit("late", closed=True, first_seen=T0 + 30 * 86_400_000_000)
    with opened(roles.writer) as engine:
        Writer(engine).write(results([late]), {})
    with plain(roles.writer) as connection:
        connection.exec_driver_sql("INSERT INTO events VALUES (1)")
    with plain(roles.reader) as connection:
        assert connection.exec_driver_sql("SELECT visit_id FROM visits").scalars().all() == ["late"]
        assert connection.exec_driver_sql("SELECT at FROM events").scalar() == 1


def test_rights_that_a_role_had_before_are_taken_back(roles: Roles) -> None:
    reader, writer = roles.name("reader"), roles.name("writer")
    with opened(roles.owner) as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"GRANT ALL ON visits, alembic_version TO {reader}, {writer}")
        grant(engine, Role(writer), Role(reader))
    for url in (roles.reader, roles.writer):
        assert refused(url, "DELETE FROM visits", INSISTING) == "permission denied for table visits"


def test_only_the_owner_maintains(roles: Roles) -> None:
    with opened(roles.writer) as engine:
        assert not is_owner(engine)
        with pytest.raises(StorageError, match="only the owner of its tables may do this"):
            maintain(engine, Retention(), T0)
        with pytest.raises(StorageError, match="only the owner of its tables may do this"):
            purge(engine, cutoffs_before(T0))
    with opened(roles.owner) as engine:
        assert is_owner(engine)
        assert maintain(engine, Retention(), T0 + 86_400_000_000).made["visits"] != []


def test_a_writer_does_not_migrate(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = f"writer_{uuid.uuid4().hex[:8]}"
    as_writer = sa.make_url(postgresql_url).set(username=writer).render_as_string(hide_password=False)
    with role(postgresql_url, writer):
        cause = f"which {writer} may not change; run `mien db upgrade` as the owner"
        with monkeypatch.context() as patch:
            patch.setattr(versions.command, "upgrade", lambda *_: pytest.fail("a migration was tried"))
            assert f"is of version none, not 0001, {cause}" in refusal(as_writer)
        with opened(postgresql_url) as engine:
            grant(engine, Role(writer))
        open_database(as_writer).dispose()
        with plain(postgresql_url) as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
        with monkeypatch.context() as patch:
            patch.setattr(versions.command, "upgrade", lambda *_: pytest.fail("a migration was tried"))
            assert f"is of version none, not 0001, {cause}" in refusal(as_writer)


def refusal(url: str) -> str:
    with pytest.raises(StorageError) as caught:
        open_database(url)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_reader_is_no_writer(shared_roles: Roles) -> None:
    assert "cannot execute UPDATE in a read-only transaction" in refusal(shared_roles.reader)


@pytest.mark.parametrize("name", ["Writer", "1st", "wri-ter", 'x"; DROP TABLE visits; --', "", "x" * 64])
def test_names_that_would_need_quotes_are_refused(name: str) -> None:
    with pytest.raises(StorageError, match="use 1 to 63 of a-z"):
        Role(name)


def test_a_password_is_not_shown() -> None:
    assert "hush" not in repr(Role("writer", "hush"))


def test_nobody_locks_out_the_owner(shared_roles: Roles) -> None:
    owner = Role(shared_roles.name("owner"))
    with opened(shared_roles.owner) as engine:
        for writer, reader in ((owner, None), (None, owner), (None, Role("postgres"))):
            with pytest.raises(StorageError, match="is the owner's or a superuser; choose another name"):
                grant(engine, writer, reader)
        with pytest.raises(StorageError, match="cannot be both writer and reader"):
            grant(engine, Role("same"), Role("same"))


def test_who_may_not_make_roles_is_told_so(roles: Roles) -> None:
    with administrator() as connection:
        connection.exec_driver_sql(f"ALTER ROLE {roles.name('owner')} NOCREATEROLE")
    with opened(roles.owner) as engine:
        with pytest.raises(
            StorageError, match=r"roles: permission denied to create role; run this as"
        ) as caught:
            grant(engine, Role(f"{roles.name('writer')}_2"))
        assert "\n" not in str(caught.value)


def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    with (
        opened(f"sqlite:///{tmp_path}/mien.db") as engine,
        pytest.raises(StorageError, match="has no roles; name none"),
    ):
        grant(engine, Role("writer"))
