"""A SQLite file that is deleted, replaced or read-only while it is in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.messages import Partition
from common.access import LOCAL
from storage import tables
from storage.engine import open_database
from storage.errors import DatabaseUnavailable, StorageError
from storage.registry import CameraRegistry, CameraRow
from storage.writer import Writer
from tests.support.databases import ordinary_user, results, rows, visit

PARTITION = Partition("frames", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mien.db"


@pytest.fixture
def engine(path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def move(path: Path, target: Path) -> None:
    """Move a database with the files that belong to it."""
    for ending in ("", "-wal", "-shm"):
        if (found := path.with_name(path.name + ending)).exists():
            found.rename(target.with_name(target.name + ending))


def stored(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {visit_id for (visit_id,) in connection.execute("SELECT visit_id FROM visits")}


@pytest.mark.parametrize("with_wal", [True, False])
def test_a_write_into_a_deleted_file_is_an_outage(engine: sa.Engine, path: Path, with_wal: bool) -> None:
    writer = Writer(engine)
    writer.write(results([visit("before")]), {PARTITION: 1})
    for ending in ("", "-wal", "-shm") if with_wal else ("",):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    for _ in range(3):
        with pytest.raises(
            DatabaseUnavailable, match=r"mien\.db was deleted or moved away while it was in use"
        ):
            writer.write(results([visit("lost")]), {PARTITION: 2})
        assert not path.exists(), "no empty file takes its place"


def test_everything_is_stored_once_the_file_is_back(engine: sa.Engine, path: Path, tmp_path: Path) -> None:
    writer = Writer(engine)
    writer.write(results([visit("v1")]), {PARTITION: 1})
    move(path, tmp_path / "elsewhere.db")
    with pytest.raises(DatabaseUnavailable):
        writer.write(results([visit("v2")]), {PARTITION: 2})
    move(tmp_path / "elsewhere.db", path)
    writer.write(results([visit("v2")]), {PARTITION: 2})
    assert stored(path) == {"v1", "v2"}


def test_a_backup_of_the_same_database_is_accepted(engine: sa.Engine, path: Path, tmp_path: Path) -> None:
    writer = Writer(engine)
    writer.write(results([visit("v1")]), {})
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        source.backup(copy)
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    shutil.copy(tmp_path / "copy.db", path)
    with pytest.raises(DatabaseUnavailable, match="was replaced"):
        writer.write(results([visit("v2")]), {})
    writer.write(results([visit("v2")]), {})
    assert stored(path) == {"v1", "v2"}


@pytest.mark.parametrize("other", ["empty file", "new database", "text"])
def test_another_file_at_the_path_is_not_written(
    engine: sa.Engine, path: Path, tmp_path: Path, other: str
) -> None:
    writer = Writer(engine)
    writer.write(results([visit("v1")]), {})
    if other == "new database":
        open_database(f"sqlite:///{tmp_path}/other.db").dispose()
    else:
        (tmp_path / "other.db").write_text("" if other == "empty file" else "Dear Sir or Madam, " * 100)
    contents = (tmp_path / "other.db").read_bytes()
    move(path, tmp_path / "elsewhere.db")
    (tmp_path / "other.db").rename(path)
    for _ in range(3):
        with pytest.raises(StorageError, match=r"was replaced|is another database|not a database"):
            writer.write(results([visit("v2")]), {})
    assert path.read_bytes() == contents
    move(path, tmp_path / "other.db")
    move(tmp_path / "elsewhere.db", path)
    writer.write(results([visit("v2")]), {})
    assert stored(path) == {"v1", "v2"}


def test_a_file_that_disappears_during_a_transaction_is_noticed_at_its_commit(
    engine: sa.Engine, path: Path, tmp_path: Path
) -> None:
    def write() -> None:
        row = {"topic": "t", "partition": 0, "next_offset": 1, "written_at": 1}
        with engine.begin() as connection:
            connection.execute(sa.insert(tables.offsets), [row])
            move(path, tmp_path / "elsewhere.db")

    with pytest.raises(DatabaseUnavailable, match="was deleted or moved away"):
        write()


def test_a_commit_into_a_file_that_was_moved_is_found_when_it_is_back(
    engine: sa.Engine, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(engine)
    commit = engine.dialect.do_commit

    def move_first(connection: sa.engine.interfaces.DBAPIConnection) -> None:
        move(path, tmp_path / "elsewhere.db")
        commit(connection)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(engine.dialect, "do_commit", move_first)
        with pytest.raises(DatabaseUnavailable):
            writer.write(results([visit("v1")]), {PARTITION: 1})
    move(tmp_path / "elsewhere.db", path)
    writer.write(results([visit("v1")]), {PARTITION: 1})
    writer.write(results([visit("v2")]), {PARTITION: 2})
    assert stored(path) == {"v1", "v2"}


def test_a_deleted_write_ahead_log_is_an_outage_and_loses_nothing(engine: sa.Engine, path: Path) -> None:
    writer = Writer(engine)
    writer.write(results([visit("v1")]), {PARTITION: 1})
    path.with_name("mien.db-wal").unlink()
    with pytest.raises(
        DatabaseUnavailable, match=r"mien\.db-wal was deleted or replaced while it was in use"
    ):
        writer.write(results([visit("v2")]), {PARTITION: 2})
    writer.write(results([visit("v2")]), {PARTITION: 2})
    assert stored(path) == {"v1", "v2"}


def test_a_reader_reads_the_file_that_is_at_the_path_now(
    engine: sa.Engine, path: Path, tmp_path: Path
) -> None:
    reader = open_database(f"sqlite:///{path}", read_only=True)
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))
    assert len(CameraRegistry(reader).cameras()) == 1
    engine.dispose()
    open_database(f"sqlite:///{tmp_path}/other.db").dispose()
    move(path, tmp_path / "elsewhere.db")
    with pytest.raises(DatabaseUnavailable, match="was deleted or moved away"):
        CameraRegistry(reader).cameras()
    move(tmp_path / "other.db", path)
    assert CameraRegistry(reader).cameras() == []
    reader.dispose()


def test_other_threads_and_processes_do_not_look_like_a_replacement(engine: sa.Engine, path: Path) -> None:
    """Many connections open and close, one after the other and in parallel."""
    failures: list[Exception] = []

    def use(number: int) -> None:
        try:
            for step in range(10):
                other = open_database(f"sqlite:///{path}")
                Writer(other).write(results([visit(f"v{number}-{step}")]), {})
                other.dispose()
                Writer(engine).write(results([visit(f"w{number}-{step}")]), {})
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=120)
    assert failures == []
    assert len(rows(engine, tables.visits)) == 60


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may read and only its owner may change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def protect(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


def test_a_copy_in_a_read_only_folder_can_be_read(shared_folder: Path) -> None:
    url = f"sqlite:///{shared_folder}/mien.db"
    engine = open_database(url)
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))
    engine.dispose()
    protect(shared_folder)
    with ordinary_user():
        reader = open_database(url, read_only=True)
        assert [camera.id for camera in CameraRegistry(reader).cameras()] == ["till"]
        reader.dispose()
    assert [each.name for each in shared_folder.iterdir()] == ["mien.db"]


def test_rows_in_the_log_of_a_read_only_copy_are_not_passed_over(shared_folder: Path, path: Path) -> None:
    """The copy of a database in use: without its log the newest rows would be missing."""
    engine = open_database(f"sqlite:///{path}")
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))
    for ending in ("", "-wal"):
        shutil.copy(path.with_name(path.name + ending), shared_folder)
    engine.dispose()
    protect(shared_folder)
    with (
        ordinary_user(),
        pytest.raises(
            StorageError, match=r"rows are in mien\.db-wal, which cannot be read in a read-only folder"
        ),
    ):
        open_database(f"sqlite:///{shared_folder}/mien.db", read_only=True)


def test_a_read_only_copy_that_is_exchanged_is_read_again(shared_folder: Path, path: Path) -> None:
    url = f"sqlite:///{shared_folder}/mien.db"
    engine = open_database(f"sqlite:///{path}")
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))
    engine.dispose()
    shutil.copy(path, shared_folder)
    protect(shared_folder)
    with ordinary_user():
        reader = open_database(url, read_only=True)
        assert len(CameraRegistry(reader).cameras()) == 1
    engine = open_database(f"sqlite:///{path}")
    CameraRegistry(engine).add(LOCAL, CameraRow("door", "demo://1"))
    engine.dispose()
    os.chmod(shared_folder, 0o755)
    (shared_folder / "mien.db").chmod(0o644)
    shutil.copy(path, shared_folder)
    protect(shared_folder)
    with ordinary_user():
        with pytest.raises(DatabaseUnavailable, match="was changed although its folder is read-only"):
            CameraRegistry(reader).cameras()
        assert len(CameraRegistry(reader).cameras()) == 2
        reader.dispose()
