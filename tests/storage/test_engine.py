"""Opening of databases: accepted and refused URLs and files, and errors without passwords."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from common.access import LOCAL
from storage import tables
from storage.engine import open_database, redact_url, sqlite_file
from storage.errors import DatabaseError, StorageError
from storage.registry import CameraRegistry, CameraRow
from tests.support.databases import administrator, ordinary_user


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may read and only its owner may change."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def refusal(url: str, read_only: bool = False) -> str:
    """Why the database is not opened, in one line."""
    with pytest.raises(StorageError) as caught:
        open_database(url, read_only).dispose()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_new_database_is_created_and_can_be_opened_again(database_url: str) -> None:
    first = open_database(database_url)
    CameraRegistry(first).add(LOCAL, CameraRow("till", "demo://1"))
    first.dispose()
    second = open_database(database_url)
    assert [camera.id for camera in CameraRegistry(second).cameras()] == ["till"]
    second.dispose()


def test_a_reader_reads_and_cannot_write(database_url: str) -> None:
    open_database(database_url).dispose()
    reader = open_database(database_url, read_only=True)
    assert CameraRegistry(reader).cameras() == []
    with pytest.raises(DatabaseError, match=r"read-?only"):
        CameraRegistry(reader).add(LOCAL, CameraRow("till", "demo://1"))
    reader.dispose()


def test_a_reader_sees_rows_that_a_writer_stores_later(database_url: str) -> None:
    writer = open_database(database_url)
    reader = open_database(database_url, read_only=True)
    CameraRegistry(writer).add(LOCAL, CameraRow("till", "demo://1"))
    assert [camera.id for camera in CameraRegistry(reader).cameras()] == ["till"]
    reader.dispose()
    writer.dispose()


def test_an_open_transaction_does_not_block_a_reader(database_url: str) -> None:
    writer = open_database(database_url)
    reader = open_database(database_url, read_only=True)
    with writer.begin() as connection:
        row = {"topic": "t", "partition": 0, "next_offset": 1, "written_at": 1}
        connection.execute(sa.insert(tables.offsets), [row])
        assert CameraRegistry(reader).cameras() == []
    reader.dispose()
    writer.dispose()


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    for read_only in (False, True):
        assert "is of version 9999, newer than this program's" in refusal(database_url, read_only)


def test_a_reader_does_not_create_or_migrate_a_database(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    assert "does not exist yet; start `mien run` first" in refusal(f"sqlite:///{missing}", read_only=True)
    assert not missing.exists()
    empty = tmp_path / "empty.db"
    empty.touch()
    assert "older version; run `mien db upgrade`" in refusal(f"sqlite:///{empty}", read_only=True)
    assert empty.stat().st_size == 0


def test_a_reader_does_not_migrate_a_postgresql_database(postgresql_url: str) -> None:
    assert "older version; run `mien db upgrade`" in refusal(postgresql_url, read_only=True)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("", "cannot be read"),
        ("mien.db", "cannot be read"),
        ("mysql://root:hush@host/mien", "mysql: write sqlite:///FILE or postgresql://"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://u:hush@host:port/mien", "cannot be read"),
        ("postgresql://u:hush@127.0.0.1:1/mien", "Connection refused"),
        ("postgresql://u@127.0.0.1:1/mien?password=hush", "Connection refused"),
        ("postgresql://u@127.0.0.1:1/mien?unknown_option=hush", "unknown_option"),
    ],
)
def test_the_error_for_an_unusable_url_is_one_line_without_its_password(url: str, cause: str) -> None:
    message = refusal(url)
    assert cause in message
    assert "hush" not in message


def test_a_wrong_password_is_not_in_the_error(postgresql_url: str) -> None:
    wrong = sa.make_url(postgresql_url).set(username="nobody_here", password="hush")
    message = refusal(wrong.render_as_string(hide_password=False))
    assert "nobody_here" in message
    assert "hush" not in message


def test_a_redacted_url_has_no_password_and_no_options() -> None:
    assert redact_url("postgresql://u:hush@host/mien?password=hush") == "postgresql://u:***@host/mien"
    assert redact_url("sqlite:///mien.db") == "sqlite:///mien.db"


def test_a_missing_folder_is_in_the_error(tmp_path: Path) -> None:
    message = refusal(f"sqlite:///{tmp_path}/none/mien.db")
    assert f"{tmp_path}/none/mien.db: its folder does not exist" in message


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "unable to open database file" in refusal(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("read_only", [False, True])
def test_another_kind_of_file_is_refused_and_not_changed(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    assert "file is not a database" in refusal(f"sqlite:///{path}", read_only)
    assert path.read_text() == "Dear Sir or Madam, " * 100


@pytest.mark.parametrize(
    "name",
    [
        *("with space.db", "hash#tag.db", "100%25.db", "what%3Fnow.db", "ärger.db"),
        *("what?.db", "?", "a?b#c.db", "50%.db", "a;b&c.db", "x?%3Fy.db"),
    ],
)
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    open_database(url).dispose()
    open_database(url, read_only=True).dispose()
    wanted = name.replace("%25", "%").replace("%3F", "?")
    assert {path.name.removesuffix("-wal").removesuffix("-shm") for path in tmp_path.iterdir()} == {wanted}
    assert sqlite_file(url) == tmp_path / wanted


def test_options_of_sqlite_are_refused(tmp_path: Path) -> None:
    assert "takes no options after ?" in refusal(f"sqlite:///{tmp_path}/mien.db?mode=ro")
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_file_is_refused_at_once(shared_folder: Path) -> None:
    path = shared_folder / "mien.db"
    open_database(f"sqlite:///{path}").dispose()
    path.chmod(0o444)
    shared_folder.chmod(0o777)
    with ordinary_user():
        assert "attempt to write a readonly database" in refusal(f"sqlite:///{path}")


def test_a_read_only_folder_is_refused_at_once(shared_folder: Path) -> None:
    shared_folder.chmod(0o555)
    with ordinary_user():
        assert "unable to open database file" in refusal(f"sqlite:///{shared_folder}/mien.db")
    assert list(shared_folder.iterdir()) == []


def test_an_unreadable_file_is_refused(shared_folder: Path) -> None:
    path = shared_folder / "mien.db"
    open_database(f"sqlite:///{path}").dispose()
    path.chmod(stat.S_IWUSR if os.geteuid() == 0 else 0)
    with ordinary_user():
        assert "unable to open database file" in refusal(f"sqlite:///{path}", read_only=True)


def test_postgresql_readers_have_a_time_limit(postgresql_url: str) -> None:
    open_database(postgresql_url).dispose()
    reader = open_database(postgresql_url, read_only=True)
    with reader.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"
    reader.dispose()


def test_a_connection_that_the_server_closed_is_replaced(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    CameraRegistry(engine).add(LOCAL, CameraRow("till", "demo://1"))
    with administrator() as connection:
        terminate = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND backend_type = 'client backend'"
        )
        assert connection.exec_driver_sql(terminate, (engine.url.database,)).rowcount == 1
    assert len(CameraRegistry(engine).cameras()) == 1
    engine.dispose()
