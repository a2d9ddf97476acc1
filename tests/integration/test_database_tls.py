"""PostgreSQL that takes nothing but TLS and passwords, and the roles that `mien db upgrade` makes there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import tables
from storage.engine import open_database
from storage.errors import StorageError
from storage.roles import Role, grant
from storage.writer import Writer
from tests.databases import results, rows, visit
from tests.postgres import Server, make_authority, private_server
from tests.processes import mien

pytestmark = pytest.mark.integration

PASSWORD = "p@ss:w/rd?&#% '\"\\"


@dataclass(frozen=True)
class Secured:
    """A server that asks for TLS and a password; `authority` vouches for it."""

    server: Server
    authority: Path


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with private_server() as server:
        authority = server.require_tls("IP:127.0.0.1")
        server.start()
        yield Secured(server, authority)


@pytest.fixture
def owner(secured: Secured) -> Iterator[sa.URL]:
    """The URL of an empty database of an owner with a password, without any word of TLS."""
    name = f"owner_{uuid.uuid4().hex[:8]}"
    with secured.server.database() as database:
        engine = sa.create_engine(secured.server.url)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'hush'")
        engine.dispose()
        secured.server.execute(f"ALTER DATABASE {database} OWNER TO {name}")
        yield secured.server.over_tcp(database, name, "hush")


def verified(url: sa.URL, authority: Path) -> str:
    query = {"sslmode": "verify-full", "sslrootcert": str(authority)}
    return url.update_query_dict(query).render_as_string(hide_password=False)


def refusal(url: sa.URL | str) -> str:
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    with pytest.raises(StorageError) as caught:
        open_database(text)
    message = str(caught.value)
    assert "\n" not in message
    assert "hush" not in message
    assert "sslrootcert" not in message
    return message


def test_a_verified_connection_is_encrypted(owner: sa.URL, secured: Secured) -> None:
    engine = open_database(verified(owner, secured.authority))
    Writer(engine).write(results([visit("v1", closed=True)]), {})
    with engine.connect() as connection:
        mine = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert tuple(connection.exec_driver_sql(mine).one()) == (True, "TLSv1.3")
    assert len(rows(engine, tables.visits)) == 1
    engine.dispose()


def test_without_tls_there_is_no_way_in(owner: sa.URL) -> None:
    assert "no encryption" in refusal(owner.update_query_dict({"sslmode": "disable"}))


def test_a_server_that_another_authority_vouches_for_is_refused(owner: sa.URL, tmp_path: Path) -> None:
    assert "certificate verify failed" in refusal(verified(owner, make_authority(tmp_path / "other")))


def test_a_server_of_another_name_is_refused(owner: sa.URL, secured: Secured) -> None:
    message = refusal(verified(owner.set(host="localhost"), secured.authority))
    assert 'does not match host name "localhost"' in message


def test_an_authority_that_is_not_there_is_named(owner: sa.URL, tmp_path: Path) -> None:
    url = verified(owner, tmp_path / "none.crt")
    with pytest.raises(StorageError, match=r'root certificate file ".*none.crt" does not exist'):
        open_database(url)


def test_a_wrong_password_is_refused_and_not_repeated(owner: sa.URL, secured: Secured) -> None:
    assert "password authentication failed" in refusal(
        verified(owner.set(password="hush!"), secured.authority)
    )


def test_roles_log_in_with_the_passwords_that_they_were_given(
    owner: sa.URL, secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid.uuid4().hex[:8]
    writer, reader = f"writer_{mark}", f"reader_{mark}"
    secrets = {"MIEN_WRITER_PASSWORD": PASSWORD, "MIEN_READER_PASSWORD": f"{PASSWORD}2"}
    done = mien(
        tmp_path,
        *("db", "upgrade", "--writer", writer, "--reader", reader),
        variables=secrets | {"MIEN_DATABASE": verified(owner, secured.authority)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{writer} may store" in done.stdout
    assert f"{reader} may read" in done.stdout
    assert PASSWORD not in done.stdout

    as_writer = verified(owner.set(username=writer, password=PASSWORD), secured.authority)
    storing = open_database(as_writer)
    Writer(storing).write(results([visit("v1", closed=True)]), {})
    storing.dispose()
    reading = open_database(
        verified(owner.set(username=reader, password=f"{PASSWORD}2"), secured.authority), read_only=True
    )
    assert len(rows(reading, tables.visits)) == 1
    reading.dispose()
    wrong = verified(owner.set(username=writer, password="hush"), secured.authority)
    assert "password authentication failed" in refusal(wrong)
    assert PASSWORD not in (secured.server.folder / "log").read_text()


def test_a_password_changes_and_otherwise_stays(owner: sa.URL, secured: Secured) -> None:
    name = f"writer_{uuid.uuid4().hex[:8]}"
    engine = open_database(verified(owner, secured.authority))
    as_writer = owner.set(username=name)
    for given, valid in ((None, None), ("first", "first"), (None, "first"), ("second", "second")):
        grant(engine, Role(name, given))
        if valid is None:
            assert "password" in refusal(verified(as_writer.set(password="x"), secured.authority))
        else:
            open_database(verified(as_writer.set(password=valid), secured.authority)).dispose()
    assert "password authentication failed" in refusal(
        verified(as_writer.set(password="first"), secured.authority)
    )
    engine.dispose()
