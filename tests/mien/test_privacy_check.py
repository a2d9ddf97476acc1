"""The privacy check finds what is planted, says what it looked at, and never prints it."""

from __future__ import annotations

import base64
import errno
import gzip
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from mien import privacy_check
from mien.privacy_check import Look, Outcome, check_privacy, exit_code
from mien.settings import Settings
from storage import tables
from storage.engine import open_database
from storage.writer import Writer
from tests.support.databases import T0, observation, results, visit
from tests.support.processes import mien


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(7).integers(0, 255, (48, 48)).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


JPEG = jpeg()


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr("mien.privacy_check._SHARED_MEMORY", folder / "none")
    return folder


@pytest.fixture
def database(migrated_url: str) -> str:
    engine = open_database(migrated_url)
    Writer(engine).write(results([visit("v1", closed=True)], [observation("v1")]), {})
    engine.dispose()
    return migrated_url


def look(
    database: str, logs: Sequence[Path] = (), everything: bool = False, **settings: object
) -> dict[str, Look]:
    found = check_privacy(Settings(database=database, **settings), logs, everything=everything)  # type: ignore[arg-type]
    return {each.place: each for each in found}


def execute(database: str, statement: str, **values: object) -> None:
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.execute(sa.text(statement), values)
    engine.dispose()


def test_an_ordinary_database_has_no_findings_and_every_table_was_read(database: str) -> None:
    looks = look(database)
    assert exit_code(list(looks.values())) == 0, looks
    (summary,) = (each for place, each in looks.items() if place.startswith("database"))
    known = len(tables.metadata.tables)
    assert int(summary.details.split()[0]) > known, "the table of the version, too"


PLANTS = {
    "a picture in a text of a known table": (
        "UPDATE visits SET model = :text",
        "table visits",
        "JPEG as base64 in column model",
    ),
    "a picture in a new column": ("picture", "table visits", "JPEG in column picture"),
    "a picture in a new table": ("table", "table thumbnails", "JPEG in column content"),
    "a vector in a new table": ("vector", "table faces", "vector"),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_planted_in_the_database_is_found(database: str, plant: str) -> None:
    statement, place, trace = PLANTS[plant]
    kind = "bytea" if "postgresql" in database else "blob"
    if statement == "picture":
        execute(database, f"ALTER TABLE visits ADD COLUMN picture {kind}")
        execute(database, "UPDATE visits SET picture = :content", content=JPEG)
    elif statement == "table":
        execute(database, f"CREATE TABLE thumbnails (id integer, content {kind})")
        execute(database, "INSERT INTO thumbnails VALUES (1, :content)", content=JPEG)
    elif statement == "vector":
        numbers = np.random.default_rng(1).normal(size=128).astype(np.float32).tolist()
        array = "postgresql" in database
        execute(database, f"CREATE TABLE faces (id integer, embedding {'real[]' if array else 'text'})")
        execute(database, "INSERT INTO faces VALUES (1, :it)", it=numbers if array else str(numbers))
    else:
        execute(database, statement, text=base64.b64encode(JPEG).decode()[:100])
    looks = look(database)
    assert looks[place].outcome is Outcome.FOUND
    assert trace in looks[place].details
    assert exit_code(list(looks.values())) == 1
    assert base64.b64encode(JPEG).decode()[:40] not in str(looks)


def test_a_picture_that_was_deleted_is_found_in_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    open_database(url).dispose()
    execute(url, "CREATE TABLE thumbnails (content blob)")
    # With others, so that the page of the deleted row stays in use.
    execute(url, "INSERT INTO thumbnails VALUES ('first'), (:content), ('last')", content=JPEG)
    with sa.create_engine(url).begin() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete = OFF")
        connection.exec_driver_sql("DELETE FROM thumbnails WHERE rowid = 2")
    looks = look(url)
    assert looks[f"file {tmp_path}/mien.db, also deleted rows"].outcome is Outcome.FOUND


def test_large_tables_are_sampled_newest_first_unless_all_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.content_scan.SAMPLE_ROWS", 5)
    url = f"sqlite:///{tmp_path}/mien.db"
    engine = open_database(url)
    rows = [
        {"id": str(n), "at": T0 + n, "actor": "a", "role": "r", "action": "x", "subject": "", "details": ""}
        for n in range(20)
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(tables.audit_log), rows)
        old = sa.update(tables.audit_log).where(tables.audit_log.c.at == T0)
        connection.execute(old.values(details=base64.b64encode(JPEG).decode()[:400]))
    engine.dispose()
    looks = look(url)
    assert "table audit_log" not in looks
    (summary,) = (each for place, each in looks.items() if place.startswith("database"))
    assert "the newest rows of audit_log, --all reads every row" in summary.details
    assert look(url, everything=True)["table audit_log"].outcome is Outcome.FOUND
    with sa.create_engine(url).begin() as connection:
        newest = sa.update(tables.audit_log).where(tables.audit_log.c.at == T0 + 19)
        connection.execute(newest.values(details=base64.b64encode(JPEG).decode()[:400]))
    assert look(url)["table audit_log"].outcome is Outcome.FOUND


def test_logs_and_temporary_files_are_looked_at(
    tmp_path: Path, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    open_database(url).dispose()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "mien.log").write_text("2026-03-31 INFO started\n" * 1000)
    missing = tmp_path / "missing.log"
    looks = look(url, [missing], log_files=(str(logs),))
    assert looks[f"logs in {logs}"].outcome is Outcome.CLEAN
    assert looks[f"log {missing}"].outcome is Outcome.UNREAD
    assert exit_code(list(looks.values())) == 2
    with gzip.open(logs / "mien.log.1.gz", "wt") as file:
        file.write(f"ERROR cannot decode {JPEG!r}\n")
    (own_temporary_folder / "frame.bin").write_bytes(b"x" * (3 << 20) + JPEG)
    (own_temporary_folder / "link").symlink_to("/etc/passwd")
    looks = look(url, [logs])
    assert looks[f"logs in {logs}"].outcome is Outcome.FOUND
    assert "JPEG as escaped bytes" in looks[f"logs in {logs}"].details
    (temporary,) = (each for place, each in looks.items() if place.startswith("temporary"))
    assert temporary.outcome is Outcome.FOUND
    assert exit_code(list(looks.values())) == 1


def test_a_database_that_cannot_be_read_is_said_to_be_unread(tmp_path: Path) -> None:
    looks = look(f"sqlite:///{tmp_path}/none.db")
    assert looks["database"].outcome is Outcome.UNREAD
    assert exit_code(list(looks.values())) == 2


def test_frames_in_kafka_are_not_overlooked_where_the_bus_is_not_set(database: str) -> None:
    execute(database, "INSERT INTO offsets VALUES ('frames', 0, 5, 0)")
    looks = look(database)
    assert looks["bus"].outcome is Outcome.UNREAD
    assert "MIEN_BUS" in looks["bus"].details


def test_the_command_ends_with_the_exit_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    open_database(url).dispose()
    clean = mien(tmp_path, "privacy", "check", "--database", url)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "nothing" not in clean.stderr
    (tmp_path / "tmp" / "frame.jpg").write_bytes(JPEG)
    found = mien(tmp_path, "privacy", "check", "--database", url)
    assert found.returncode == 1
    assert "JPEG in" in found.stdout


def test_a_large_file_is_not_said_to_be_read_completely(
    tmp_path: Path, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    open_database(url).dispose()
    monkeypatch.setattr(privacy_check, "SAMPLE_BYTES", 1 << 20)
    log = tmp_path / "mien.log"
    log.write_bytes(b"x" * (2 << 20) + JPEG + b"x" * (2 << 20))
    sampled = look(url, [log])[f"log {log}"]
    assert sampled.outcome is Outcome.CLEAN
    assert "--all reads everything" in sampled.details
    assert look(url, [log], everything=True)[f"log {log}"].outcome is Outcome.FOUND


def test_a_folder_that_cannot_be_opened_is_unread_and_the_next_place_is_looked_at(
    tmp_path: Path, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/mien.db"
    open_database(url).dispose()
    closed, inside, log = tmp_path / "logs" / "closed", tmp_path / "hidden" / "a.log", tmp_path / "mien.log"
    closed.mkdir(parents=True)
    log.write_text("started\n")
    scandir, stat = os.scandir, Path.stat

    def refuse_scan(path: str) -> Any:
        if str(path) == str(closed):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    def refuse_stat(path: Path, **named: Any) -> os.stat_result:
        if path == inside:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **named)

    monkeypatch.setattr(os, "scandir", refuse_scan)
    monkeypatch.setattr(Path, "stat", refuse_stat)
    looks = look(url, [closed.parent, inside, log])
    assert looks[f"logs in {closed.parent}"].outcome is Outcome.UNREAD
    assert f"{closed}: Permission denied" in looks[f"logs in {closed.parent}"].details
    assert looks[f"log {inside}"].outcome is Outcome.UNREAD
    assert looks[f"log {log}"].outcome is Outcome.CLEAN
    assert exit_code(list(looks.values())) == 2
