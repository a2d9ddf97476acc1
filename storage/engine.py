"""Opening of SQLite and PostgreSQL databases: migrated to the newest version, or read-only."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import sqlalchemy as sa

from storage import postgresql_server, tables, versions
from storage.errors import DatabaseError, StorageError
from storage.sqlite_file import SqliteFile

_PORT = 5432
_FORM = "sqlite:///FILE or postgresql://HOST:PORT/NAME, with USER:PASSWORD and @ before HOST"
"""Login and host are apart: messages are shown without the logins of addresses."""

Database = sa.Engine
"""An open database, the argument of most functions of this package. `dispose` closes it."""


def open_database(url: str, read_only: bool = False) -> Database:
    """Open the database at an SQLAlchemy URL and migrate it unless `read_only`.

    Options of libpq configure TLS to PostgreSQL: `?sslmode=verify-full&sslrootcert=FILE`.

    Raises StorageError where the database cannot be opened or written, is not a database, is newer than this
    program, or is older and the user may not migrate it; read-only also where it does not exist or is older.
    """
    parsed = _parse(url)
    file = _sqlite(parsed, read_only) if _is_sqlite(parsed) else None
    engine = file.create_engine() if file else postgresql_server.create_engine(parsed, read_only)
    try:
        with engine.begin() as connection:
            if read_only:
                _check_version(connection)
            else:
                versions.upgrade(connection)
                # Changes no row, but fails where the database cannot be written; every role that writes may.
                connection.execute(sa.update(tables.events).where(sa.false()).values(name=""))
            if file:
                file.expect_same(connection)
    except DatabaseError as error:
        engine.dispose()
        raise StorageError(f"database {redact_url(url)}: {error}; check the path or the server") from error
    except StorageError as error:
        engine.dispose()
        raise StorageError(f"database {redact_url(url)}: {error}") from error
    return engine


def redact_url(url: str) -> str:
    """The URL without its password and its options, which may be secret.

    Raises StorageError for an invalid URL.
    """
    return _parse(url).set(query={}).render_as_string(hide_password=True)


def server_addresses(url: str) -> list[tuple[str, int]]:
    """Host and port of each server that a URL of PostgreSQL names; none for SQLite and for Unix sockets.

    Raises StorageError for an invalid URL.
    """
    parsed = _parse(url)
    if _is_sqlite(parsed):
        return []
    found = [parsed.host or "", *_listed(parsed, "host"), *_listed(parsed, "hostaddr")]
    ports = {parsed.port or _PORT, *map(int, filter(str.isdecimal, _listed(parsed, "port")))}
    addresses = set()
    for each in found:
        host, _, own = each.rpartition(":")
        if each.count(":") == 1 and own.isdecimal():
            addresses.add((host, int(own)))
        elif each and not each.startswith("/"):
            # libpq pairs hosts and ports by their order; one pair too many does no harm.
            addresses.update((each, port) for port in ports)
    return sorted(addresses)


def _listed(url: sa.URL, option: str) -> list[str]:
    """The values of an option that may be repeated and may be a list with commas."""
    values = url.query.get(option, ())
    return [each for value in ((values,) if isinstance(values, str) else values) for each in value.split(",")]


def sqlite_file(url: str) -> Path | None:
    """The file that a URL of SQLite names; None for other databases.

    Raises StorageError for an invalid URL.
    """
    parsed = _parse(url)
    return Path(parsed.database) if _is_sqlite(parsed) and parsed.database else None


def _parse(url: str) -> sa.URL:
    try:
        parsed = _parse_sqlite(url) if url.startswith("sqlite:") else sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The error may quote a part of the password.
        raise StorageError(
            f"database (MIEN_DATABASE or --database): the URL cannot be read; write {_FORM}, with %40 for @, "
            "%2F for / and %3A for : in a password"
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StorageError(f"database {parsed.drivername}: write {_FORM}")
    return parsed


def _parse_sqlite(url: str) -> sa.URL:
    """The URL of a file, whose name may contain any character; `%3F` and the like are decoded."""
    path, mark, rest = url.partition("?")
    if "=" in rest:
        name = url.rpartition("/")[2]
        raise StorageError(f"database {name}: SQLite takes no options after ?; write %3F for a ? in its name")
    parsed = sa.make_url(path)
    return parsed.set(database=f"{parsed.database or ''}{unquote(mark + rest)}")


def _is_sqlite(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _sqlite(url: sa.URL, read_only: bool) -> SqliteFile:
    if not url.database or url.database == ":memory:":
        raise StorageError("database: in memory, which no other process can read; write sqlite:///FILE")
    path = Path(url.database).resolve()
    if not path.parent.is_dir():
        raise StorageError(f"database {path}: its folder does not exist; create it or choose another path")
    if read_only and not path.exists():
        raise StorageError(f"database {path}: does not exist yet; start `mien run` first")
    return SqliteFile(path, read_only)


def _check_version(connection: sa.Connection) -> None:
    if not versions.read_version(connection).is_newest:
        raise StorageError("is of an older version; run `mien db upgrade`")
