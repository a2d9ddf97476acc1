"""Opening databases: what works, what is refused, and that no error tells a password."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import tables
from storage.engine import open_database, shown
from storage.errors import StorageError
from storage.registry import CameraRegistry, CameraRow
from tests.support.databases import administrator, ordinary_user


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everybody may enter and nobody but its owner may change."""
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


def test_a_new_database_is_made_and_found_again(database_url: str) -> None:
    first = open_database(database_url)
    CameraRegistry(first).add(CameraRow("till", "demo://1"))
    first.dispose()
    second = open_database(database_url)
    assert [camera.id for camera in CameraRegistry(second).cameras()] == ["till"]
    second.dispose()


def test_a_reader_reads_and_cannot_write(database_url: str) -> None:
    open_database(database_url).dispose()
    reader = open_database(database_url, read_only=True)
    assert CameraRegistry(reader).cameras() == []
    with pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        CameraRegistry(reader).add(CameraRow("till", "demo://1"))
    reader.dispose()


def test_a_reader_sees_what_a_writer_stores_meanwhile(database_url: str) -> None:
    writer = open_database(database_url)
    reader = open_database(database_url, read_only=True)
    CameraRegistry(writer).add(CameraRow("till", "demo://1"))
    assert [camera.id for camera in CameraRegistry(reader).cameras()] == ["till"]
    reader.dispose()
    writer.dispose()


def test_a_reader_is_not_held_up_by_a_transaction_in_progress(database_url: str) -> None:
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


def test_a_reader_does_not_make_or_update_a_database(tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    assert "does not exist yet; start `mien run` first" in refusal(f"sqlite:///{missing}", read_only=True)
    assert not missing.exists()
    empty = tmp_path / "empty.db"
    empty.touch()
    assert "older version; run `mien db upgrade`" in refusal(f"sqlite:///{empty}", read_only=True)
    assert empty.stat().st_size == 0


def test_a_reader_does_not_update_an_old_postgresql_database(postgresql_url: str) -> None:
    assert "older version; run `mien db upgrade`" in refusal(postgresql_url, read_only=True)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("", "cannot be read"),
        ("mien.db", "cannot be read"),
        ("mysql://root:hush@host/mien", "mysql: write sqlite:///FILE or postgresql://"),
        ("sqlite://", "kept in memory"),
        ("sqlite:///:memory:", "kept in memory"),
        ("postgresql://u:hush@host:port/mien", "cannot be read"),
        ("postgresql://u:hush@127.0.0.1:1/mien", "Connection refused"),
        ("postgresql://u@127.0.0.1:1/mien?password=hush", "Connection refused"),
        ("postgresql://u@127.0.0.1:1/mien?unheard_of=hush", "unheard_of"),
    ],
)
def test_an_unusable_url_is_one_line_without_its_password(url: str, cause: str) -> None:
    message = refusal(url)
    assert cause in message
    assert "hush" not in message


def test_a_wrong_password_is_not_repeated(postgresql_url: str) -> None:
    wrong = sa.make_url(postgresql_url).set(username="nobody_here", password="hush")
    message = refusal(wrong.render_as_string(hide_password=False))
    assert "nobody_here" in message
    assert "hush" not in message


def test_shown_hides_password_and_options() -> None:
    assert shown("postgresql://u:hush@host/mien?password=hush") == "postgresql://u:***@host/mien"
    assert shown("sqlite:///mien.db") == "sqlite:///mien.db"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    message = refusal(f"sqlite:///{tmp_path}/none/mien.db")
    assert f"{tmp_path}/none/mien.db: its folder does not exist" in message


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "unable to open database file" in refusal(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    assert "file is not a database" in refusal(f"sqlite:///{path}", read_only)
    assert path.read_text() == "Dear Sir or Madam, " * 100


@pytest.mark.parametrize("name", ["with space.db", "hash#tag.db", "100%25.db", "what%3Fnow.db", "ärger.db"])
def test_any_file_name_works(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    open_database(url).dispose()
    open_database(url, read_only=True).dispose()
    assert (tmp_path / name.replace("%25", "%").replace("%3F", "?")).is_file()


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


def test_a_file_that_may_not_be_read_is_refused(shared_folder: Path) -> None:
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
    CameraRegistry(engine).add(CameraRow("till", "demo://1"))
    with administrator() as connection:
        terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        assert connection.exec_driver_sql(terminate, (engine.url.database,)).rowcount == 1
    assert len(CameraRegistry(engine).cameras()) == 1
    engine.dispose()
