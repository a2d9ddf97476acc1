"""PostgreSQL servers as they are: options in the URL, encodings, and PgBouncer in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from bus.messages import CameraMinute, Partition
from common.access import LOCAL
from storage import tables
from storage.engine import open_database
from storage.errors import DatabaseError, DataRefused, StorageError
from storage.maintenance import create_day_partitions, maintain
from storage.registry import CameraRegistry, CameraRow
from storage.retention import Retention
from storage.writer import Writer
from tests.support.databases import T0, administrator, contents, observation, results, rows, visit
from tests.support.poolers import pgbouncer

pytestmark = pytest.mark.integration


def text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def with_options(url: str, *options: str) -> str:
    return text(sa.make_url(url).update_query_dict({"options": " ".join(options)}))


@contextmanager
def opened(url: str, read_only: bool = False) -> Iterator[sa.Engine]:
    engine = open_database(url, read_only)
    try:
        yield engine
    finally:
        engine.dispose()


def execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def use(url: str) -> None:
    """Migrate a database, store a batch in it several times and maintain it."""
    with opened(url) as engine:
        create_day_partitions(engine, T0)
        writer = Writer(engine)
        for number in range(12):  # More often than psycopg executes a statement before it prepares it.
            batch = results(
                [visit(f"v{number}", closed=number % 2 == 0)],
                [observation(f"v{number}")],
                [CameraMinute("till", T0, analysed=1)],
            )
            writer.write(batch, {Partition("frames", 0): number + 1})
        maintain(engine, Retention(), T0)
    with opened(url, read_only=True) as engine:
        assert len(rows(engine, tables.visits)) == 12
        assert [row["analysed"] for row in rows(engine, tables.camera_minutes)] == [12]


@pytest.mark.parametrize("option", ["-csearch_path=shop", "-c search_path=shop", "--search_path=shop"])
def test_the_schema_of_the_search_path_holds_the_tables(postgresql_url: str, option: str) -> None:
    execute(postgresql_url, "CREATE SCHEMA shop")
    use(with_options(postgresql_url, option))
    engine = sa.create_engine(postgresql_url)
    assert sa.inspect(engine).get_table_names(schema="public") == []
    assert "visits" in sa.inspect(engine).get_table_names(schema="shop")
    engine.dispose()


def test_options_of_the_url_override_the_defaults(postgresql_url: str) -> None:
    url = with_options(postgresql_url, "-c lock_timeout=7s", r"--DateStyle=ISO,\ DMY")
    names = ("lock_timeout", "DateStyle", "idle_in_transaction_session_timeout")
    with opened(url) as engine, engine.connect() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
    assert shown == ["7s", "ISO, DMY", "1min"]


def test_options_do_not_make_a_reader_a_writer(postgresql_url: str) -> None:
    open_database(postgresql_url).dispose()
    url = with_options(postgresql_url, "-cdefault_transaction_read_only=off")
    with opened(url, read_only=True) as engine, pytest.raises(DatabaseError, match="read-only"):
        CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))


def test_options_that_cannot_be_read_are_refused_in_one_line(postgresql_url: str) -> None:
    with pytest.raises(StorageError, match=r"options are not readable; write \?options=-cNAME%3DVALUE"):
        open_database(with_options(postgresql_url, "search_path=shop"))


def test_a_search_path_without_a_schema_is_refused_in_one_line(postgresql_url: str) -> None:
    with pytest.raises(StorageError, match="search_path names no schema that exists") as caught:
        open_database(with_options(postgresql_url, "-csearch_path=nowhere"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def encoded(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[str]:
    """A database with another encoding."""
    url = sa.make_url(postgresql_url)
    name = f"{url.database}_encoded"
    with administrator() as connection:
        connection.exec_driver_sql(
            f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
        )
    yield text(url.set(database=name))
    with administrator() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("encoded", ["SQL_ASCII", "LATIN1", "UTF8"], indirect=True)
def test_a_server_of_any_encoding_works(encoded: str) -> None:
    use(encoded)
    with opened(encoded) as engine:
        CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1", name="Käse über Öl"))
        (camera,) = CameraRegistry(engine).cameras()
        assert camera.name == "Käse über Öl"


@pytest.mark.parametrize("encoded", ["LATIN1"], indirect=True)
def test_a_name_that_the_server_cannot_encode_is_refused_in_one_line(encoded: str) -> None:
    with opened(encoded) as engine, pytest.raises(DataRefused, match="LATIN1") as caught:
        CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1", name="Τυρί"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "ignored"), [("transaction", ""), ("transaction", "options"), ("session", "")]
)
def test_everything_works_through_pgbouncer(postgresql_url: str, mode: str, ignored: str) -> None:
    with pgbouncer(sa.make_url(postgresql_url), mode, ignored) as url:
        use(text(url))


def test_session_settings_apply_through_pgbouncer(postgresql_url: str) -> None:
    execute(postgresql_url, "CREATE SCHEMA shop")
    with pgbouncer(sa.make_url(postgresql_url)) as url:
        own = with_options(text(url), "-csearch_path=shop")
        use(own)
        with opened(own, read_only=True) as engine:
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"
            with pytest.raises(DatabaseError, match="read-only"):
                CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))
            assert len(contents(engine)["visits"]) == 12


def test_pgbouncer_without_transactions_is_refused_in_one_line(postgresql_url: str) -> None:
    with pgbouncer(sa.make_url(postgresql_url), "statement") as url, pytest.raises(StorageError) as caught:
        open_database(text(url))
    assert "statement pooling" in str(caught.value)
    assert "\n" not in str(caught.value)
