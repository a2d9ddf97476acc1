"""Connections to one SQLite file, which notice that the file was deleted or replaced.

SQLite keeps the file that it has opened. If another process deletes or replaces it, statements succeed and
their rows are lost. So before each statement and after each commit the file at the path is compared with the
open one; a difference is an outage, and the next connection opens what is at the path then.
"""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from typing_extensions import override

from storage.translation import translate_errors

_BUSY_S = 5.0
_NOT_WRITABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

_Identity = tuple[int, ...]


class FileReplaced(sqlite3.OperationalError):
    """The file at the path is not the one that this connection has opened."""


class SqliteFile:
    """Opens connections to one file.

    The first connection of a writer creates a missing file; later ones do not, so that a deleted file is not
    replaced by an empty one. A reader of a file that nobody can write opens it as immutable.
    """

    def __init__(self, path: Path, read_only: bool) -> None:
        self.path = path
        self._read_only = read_only
        self._expected: tuple[object, object] | None = None

    def create_engine(self) -> sa.Engine:
        """An engine for this file; transactions of a writer take the write lock at their start."""
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(self.path)), creator=self.connect)

        def begin(connection: sa.Connection) -> None:
            # A transaction that reads first and writes later fails if another one writes in between; one
            # that takes the write lock first only waits. BEGIN also makes schema changes a part of it.
            connection.exec_driver_sql("BEGIN" if self._read_only else "BEGIN IMMEDIATE")

        def replace(context: sa.engine.ExceptionContext) -> None:
            context.is_disconnect |= isinstance(context.original_exception, FileReplaced)

        sa.event.listen(engine, "handle_error", replace)
        translate_errors(engine)
        sa.event.listen(engine, "begin", begin)
        return engine

    def expect_same(self, connection: sa.Connection) -> None:
        """From now on accept no other database at the path; a reader accepts any of the same version."""
        if not self._read_only and not connection.exec_driver_sql("PRAGMA user_version").scalar():
            connection.exec_driver_sql(f"PRAGMA user_version = {random.randrange(1, 2**31)}")
        driver: Any = connection.connection.driver_connection
        self._expected = self._identify(driver)

    def connect(self) -> sqlite3.Connection:
        """A new connection; raises sqlite3.OperationalError."""
        before = _identify(self.path)
        if self._expected and before is None:
            raise FileReplaced(_describe_change(self.path, None))
        mode = "mode=ro" if self._read_only else "mode=rw" if self._expected else "mode=rwc"
        connection = self._open(mode, before)
        try:
            if self._read_only:
                connection = self._make_readable(connection, before)
            if self._expected and self._identify(connection) != self._expected:
                raise FileReplaced(
                    f"{self.path} is another database than before: put the right one back, or restart Mien "
                    "to use this one"
                )
            if not self._read_only:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, option: str, before: _Identity | None) -> _Connection:
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?{option}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        assert isinstance(connection, _Connection)
        try:
            connection.watch(self.path, before)
        except FileReplaced:
            connection.close()
            raise
        return connection

    def _make_readable(self, connection: _Connection, before: _Identity | None) -> _Connection:
        """The connection, or an immutable one where SQLite cannot create its files beside the database."""
        try:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NOT_WRITABLE:
                raise
        else:
            return connection
        connection.close()
        if _size(_wal_of(self.path)):
            raise sqlite3.OperationalError(
                f"the newest rows are in {_wal_of(self.path).name}, which cannot be read in a read-only "
                "folder; copy both files into a folder that can be written"
            )
        immutable = self._open("mode=ro&immutable=1", before)
        immutable.watch_contents()
        return immutable

    def _identify(self, connection: sqlite3.Connection) -> tuple[object, object]:
        """What must be the same after the file was replaced: the schema version and, for writers, the id."""
        try:
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if isinstance(error, FileReplaced) or "no such table" not in str(error):
                raise
            version = None
        own = None if self._read_only else connection.execute("PRAGMA user_version").fetchone()
        return version, own


class _Connection(sqlite3.Connection):
    """A connection that knows which file it has opened."""

    _path: Path | None = None
    _identity: _Identity | None = None
    _wal: _Identity | None = None
    _contents: _Identity | None = None

    def watch(self, path: Path, before: _Identity | None) -> None:
        """Raise FileReplaced from now on where another file is at the path, or was while it was opened."""
        self._path, self._identity = path, _identify(path)
        if before and self._identity != before:
            raise FileReplaced(f"{path.name} was replaced while it was opened")

    def watch_contents(self) -> None:
        """Raise FileReplaced also where the file was changed: an immutable one is never read again."""
        assert self._path
        self._contents = _identify_contents(self._path)

    @override
    def cursor(self, factory: Any = None) -> Any:
        self._check()
        return super().cursor() if factory is None else super().cursor(factory)

    @override
    def commit(self) -> None:
        written = self.in_transaction
        super().commit()
        self._check()
        if written:
            self._check_wal()

    def _check(self) -> None:
        if self._path is None:
            return
        found = _identify(self._path)
        if found != self._identity:
            raise FileReplaced(_describe_change(self._path, found))
        if self._contents and _identify_contents(self._path) != self._contents:
            raise FileReplaced(f"{self._path.name} was changed although its folder is read-only")

    def _check_wal(self) -> None:
        """The write-ahead log holds the newest rows; it exists as long as a connection that wrote is open."""
        assert self._path
        found = _identify(_wal_of(self._path))
        if self._wal and found != self._wal:
            raise FileReplaced(f"{_wal_of(self._path).name} was deleted or replaced while it was in use")
        self._wal = found


def _describe_change(path: Path, found: _Identity | None) -> str:
    happened = "was replaced" if found else "was deleted or moved away"
    return f"{path} {happened} while it was in use; results are kept until it is back"


def _wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _identify(path: Path) -> _Identity | None:
    """Device and inode; None for a file that cannot be found."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _identify_contents(path: Path) -> _Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, _size(_wal_of(path))


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
