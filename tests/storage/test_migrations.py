"""Migrations: atomic, and their result equals the tables that `storage.tables` defines."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from bus.messages import OFF, Estimate
from common.access import LOCAL
from storage import tables, versions
from storage.day_partitions import DAY_US, PARTITION_COLUMNS, start_of_day
from storage.engine import open_database
from storage.errors import StorageError
from storage.maintenance import create_day_partitions
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import T0, contents, observation, results, rows, visit

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "next", "{newest}"


def upgrade() -> None:
    op.add_column("visits", sa.Column("mask", sa.Boolean, nullable=False, server_default=sa.false()))
    with op.batch_alter_table("cameras") as cameras:
        cameras.alter_column("zone", type_=sa.String(300), existing_type=sa.String(200))
    {more}
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Adds a newer version to the program; its migration also executes `more`."""

    def become(more: str = "") -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(versions.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        newest = max(path.name[:4] for path in (folder / "versions").glob("0*.py"))
        (folder / "versions" / "next.py").write_text(NEXT.format(more=more, newest=newest))
        monkeypatch.setattr(versions, "MIGRATIONS", folder)

    return become


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(versions.MIGRATIONS))
    return config


def filled(url: str) -> dict[str, list[dict[str, object]]]:
    """The contents of a database of the current version after some use."""
    engine = open_database(url)
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1", zone="exit"))
    create_day_partitions(engine, T0)
    Writer(engine).write(results([visit("v1"), visit("v2", closed=True)], [observation("v1")]), {})
    found = contents(engine)
    engine.dispose()
    return found


def differences(connection: sa.Connection) -> list[Any]:
    """The changes that Alembic proposes, without day partitions."""

    def ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or name in tables.metadata.tables

    options = {"compare_type": True, "include_object": ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata)


def test_a_migrated_database_equals_the_table_definitions(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert differences(connection) == []
        assert sa.inspect(connection).get_table_names() != []


def test_the_comparison_finds_a_difference(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE visits ADD COLUMN surprise_column INTEGER")
    with engine.connect() as connection:
        assert [change[0] for change in differences(connection)] == ["remove_column"]


def test_the_tables_are_partitioned_as_defined(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    with engine.connect() as connection:
        query = "SELECT relname, pg_get_partkeydef(oid) FROM pg_class WHERE relkind = 'p' ORDER BY 1"
        found = [tuple(row) for row in connection.exec_driver_sql(query)]
    defined = {
        name: table.dialect_options["postgresql"]["partition_by"]
        for name, table in tables.metadata.tables.items()
    }
    assert found == sorted((name, key) for name, key in defined.items() if key)
    assert [name for name, _ in found] == sorted(time.table.description for time in PARTITION_COLUMNS)
    engine.dispose()


def test_an_older_database_is_migrated_with_all_its_rows(database_url: str, next_version: Any) -> None:
    before = filled(database_url)
    next_version()
    with pytest.raises(StorageError, match="is of an older version; run `mien db upgrade`"):
        open_database(database_url, read_only=True)
    engine = open_database(database_url)
    with engine.connect() as connection:
        assert versions.read_version(connection) == versions.Version("next", "next")
        masks = connection.exec_driver_sql("SELECT mask FROM visits").scalars().all()
        assert [bool(mask) for mask in masks] == [False, False]
        (zone,) = (each for each in sa.inspect(connection).get_columns("cameras") if each["name"] == "zone")
        assert str(zone["type"]) == "VARCHAR(300)"
    assert contents(engine) == before
    Writer(engine).write(results([visit("v1", 9, closed=True), visit("v3")]), {})
    assert len(rows(engine, tables.visits)) == 3
    engine.dispose()
    open_database(database_url).dispose()


def test_a_migration_may_be_idle_between_statements(postgresql_url: str, next_version: Any) -> None:
    """A machine that is busy with importing is no lost client; afterwards the limit holds again."""
    show = "SHOW idle_in_transaction_session_timeout"
    next_version(f"""op.execute("CREATE TABLE seen AS SELECT current_setting('{show[5:]}') AS idle")""")
    engine = open_database(postgresql_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT idle FROM seen").scalar() == "0"
        assert connection.exec_driver_sql(show).scalar() == "1min"
    engine.dispose()


def test_a_failed_upgrade_does_not_change_the_older_database(database_url: str, next_version: Any) -> None:
    before = filled(database_url)
    current = max(path.name[:4] for path in (versions.MIGRATIONS / "versions").glob("0*.py"))
    next_version('op.execute("INSERT INTO nowhere VALUES (1)")')
    with pytest.raises(StorageError, match="nowhere"):
        open_database(database_url)
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == current
    assert contents(engine) == before
    engine.dispose()


def test_no_column_can_contain_a_picture(engine: sa.Engine) -> None:
    for table in sa.inspect(engine).get_table_names():
        for column in sa.inspect(engine).get_columns(table):
            kind = column["type"]
            if isinstance(kind, sa.String):
                assert kind.length is not None, (table, column["name"])
                assert kind.length <= 2000
            else:
                assert isinstance(kind, sa.Integer | sa.Float | sa.Boolean), (table, column["name"], kind)


def test_a_failed_migration_creates_no_tables(database_url: str) -> None:
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
        "import sys; from storage import sqlite_file; from storage.engine import open_database; "
        "sqlite_file._BUSY_S = 90.0; sys.stdin.read(); "  # A busy machine may migrate for longer than 5 s.
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


def test_a_database_that_needs_no_migration_is_opened_although_another_session_holds_the_lock(
    postgresql_url: str,
) -> None:
    """Every role may take advisory locks, also one that may only read."""
    open_database(postgresql_url).dispose()
    reader = sa.create_engine(postgresql_url)
    with reader.connect() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_lock(versions._LOCK)))
        began = time.monotonic()
        open_database(postgresql_url).dispose()
        assert time.monotonic() - began < 20, "the lock is waited for 30 seconds"
    reader.dispose()


def test_rows_of_the_version_without_switches_stay_and_estimates_may_be_missing_then(
    database_url: str,
) -> None:
    engine = sa.create_engine(database_url)
    config = alembic_config()
    names = [*tables.PROBABILITIES, "p_female"]
    values = ", ".join(["0.125"] * len(names))
    columns = "visit_id, first_seen, camera_id, last_seen, frames, face_size, quality, expression, gender"
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        connection.exec_driver_sql(
            f"INSERT INTO visits ({columns}, model, closed, {', '.join(names)}) "
            f"VALUES ('v1', {T0}, 'door', {T0}, 3, 40, 0.9, 'neutral', 'female', 'm', true, {values})"
        )
    engine.dispose()
    engine = open_database(database_url)
    (before,) = rows(engine, tables.visits)
    assert [before[name] for name in names] == [0.125] * len(names)
    off = Estimate({}, None, OFF, OFF)
    Writer(engine).write(results([visit("v2", looks=off)], [replace(observation("v2"), estimate=off)]), {})
    stored = {row["visit_id"]: row for row in rows(engine, tables.visits)}
    assert {stored["v2"][name] for name in names} == {None}
    assert stored["v1"] == before
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


@pytest.fixture
def version_13(database_url: str) -> Iterator[sa.Connection]:
    """A connection to a database of the version before pauses were stored."""
    engine = sa.create_engine(database_url)
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")
        yield connection
    engine.dispose()


def add_visits_of_version_13(connection: sa.Connection, day: int, *estimates: float | None) -> None:
    """Closed visits of a day that are counted as the version before did, one by each probability."""
    columns = (
        "first_seen, camera_id, last_seen, frames, face_size, quality, expression, gender, model, closed"
    )
    for number, p in enumerate(estimates):
        values = ", ".join(["NULL" if p is None else f"{p}"] * len(tables.PROBABILITIES))
        connection.exec_driver_sql(
            f"INSERT INTO visits (visit_id, {columns}, {', '.join(tables.PROBABILITIES)}) "
            f"VALUES ('{number}', {day}, 'till', {day + 9}, 3, 40, 0.9, 'x', 'x', 'm', true, {values})"
        )


def test_the_pauses_of_an_older_database_are_those_of_its_audit_log_and_its_registry(
    database_url: str, version_13: sa.Connection
) -> None:
    cameras = "name, site, zone, source, enabled, pause_reason, created_at, changed_at"
    for camera, enabled, changed_at in (("till", "false", 90), ("door", "true", 50), ("old", "false", 5)):
        version_13.exec_driver_sql(
            f"INSERT INTO cameras (id, {cameras}) "
            f"VALUES ('{camera}', '', '', '', '', {enabled}, '', 1, {changed_at})"
        )
    log = [
        (10, "camera.pause", "till"),
        (15, "camera.pause", "till"),  # Another reason.
        (20, "camera.resume", "till"),
        (30, "camera.resume", "door"),  # The row of its pause is older than the log.
        (40, "camera.pause", "door"),
        (50, "camera.resume", "door"),
        (60, "camera.pause", "gone"),
        (70, "camera.remove", "gone"),
        (91, "camera.pause", "till"),
    ]
    for at, action, camera in log:
        version_13.exec_driver_sql(
            "INSERT INTO audit_log (id, at, actor, role, action, subject, details) "
            f"VALUES ('{at}', {at}, '', '', '{action}', '{camera}', '')"
        )
    version_13.commit()
    engine = open_database(database_url)
    found = [tuple(row.values()) for row in rows(engine, tables.camera_pauses)]
    assert found == [
        ("door", 40, 50),
        ("gone", 60, 70),
        ("old", 5, None),
        ("till", 10, 20),
        ("till", 90, None),
    ]
    CameraRegistry(engine).resume(LOCAL, "till")
    assert [row["camera_id"] for row in rows(engine, tables.camera_pauses) if not row["end_at"]] == ["old"]
    engine.dispose()


def test_visits_without_an_estimate_leave_the_highest_class_of_confidence(
    database_url: str, version_13: sa.Connection
) -> None:
    day, purged = start_of_day(T0), start_of_day(T0) - DAY_US
    add_visits_of_version_13(version_13, day, 0.05, 0.95, None, None)
    for start, kind, number, visits in (
        (day, "confidence", 0, 1),
        (day, "confidence", 8, 3),
        (day, "size", 3, 4),
        (purged, "confidence", 8, 7),
    ):
        version_13.exec_driver_sql(
            f"INSERT INTO visit_classes VALUES ({start}, 'till', '{kind}', {number}, {visits})"
        )
    version_13.commit()
    engine = open_database(database_url)
    names = ("day", "kind", "class", "visits")
    assert [tuple(row[name] for name in names) for row in rows(engine, tables.visit_classes)] == [
        (purged, "confidence", 8, 7),
        (day, "confidence", 0, 1),
        (day, "confidence", 8, 1),
        (day, "size", 3, 4),
    ]
    engine.dispose()


def test_the_names_of_the_files_tell_the_versions_in_their_order(tmp_path: Path) -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    revisions = [script.revision for script in scripts.walk_revisions()]
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    with engine.connect() as connection:
        assert versions.read_version(connection).newest == revisions[0]
    engine.dispose()
    files = sorted((versions.MIGRATIONS / "versions").glob("*.py"), reverse=True)
    assert [path.stem.partition("_")[0] for path in files] == revisions
