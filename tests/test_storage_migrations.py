"""Migrations: what they make is what `storage.tables` describes, whole or not at all."""

from __future__ import annotations

import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from storage import tables
from storage.engine import open_database
from storage.errors import StorageError


def test_an_empty_database_becomes_what_the_tables_describe(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert sa.inspect(connection).get_table_names() != []


def test_the_comparison_notices_a_difference(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE visits ADD COLUMN surprise_column INTEGER")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [change[0] for change in compare_metadata(context, tables.metadata)] == ["remove_column"]


def test_no_column_can_hold_a_picture(engine: sa.Engine) -> None:
    for table in sa.inspect(engine).get_table_names():
        for column in sa.inspect(engine).get_columns(table):
            kind = column["type"]
            if isinstance(kind, sa.String):
                assert kind.length is not None, (table, column["name"])
                assert kind.length <= 2000
            else:
                assert isinstance(kind, sa.Integer | sa.Float | sa.Boolean), (table, column["name"], kind)


def test_a_migration_that_fails_leaves_nothing_behind(database_url: str) -> None:
    obstacle = sa.create_engine(database_url)
    with obstacle.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE visit_minutes (something_else INTEGER)")
    with pytest.raises(StorageError, match=r"visit_minutes.* already exists"):
        open_database(database_url)
    assert sa.inspect(obstacle).get_table_names() == ["visit_minutes"]
    with obstacle.begin() as connection:
        connection.exec_driver_sql("DROP TABLE visit_minutes")
    open_database(database_url).dispose()
    obstacle.dispose()


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    script = (
        "import sys; from storage.engine import open_database; sys.stdin.read(); "
        "open_database(sys.argv[1]).dispose()"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", script, database_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for each in starters:
        assert each.stdin
        each.stdin.close()
        each.stdin = None
    ended = [(each.communicate(timeout=100)[1], each.returncode) for each in starters]
    assert ended == [("", 0)] * 4
