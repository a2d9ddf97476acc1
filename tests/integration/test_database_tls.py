"""PostgreSQL that takes nothing but TLS and passwords, and the roles that `mien db upgrade` makes there.

Everything is said by `mien` in a process of its own: TensorFlow, which other tests load into this one, brings
another TLS library that libpq's does not get on with.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage import tables
from tests.support.databases import rows
from tests.support.postgres import Server, make_authority, private_server
from tests.support.processes import mien

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
        secured.server.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'hush'")
        secured.server.execute(f"ALTER DATABASE {database} OWNER TO {name}")
        yield secured.server.over_tcp(database, name, "hush")


def verified(url: sa.URL, authority: Path) -> sa.URL:
    return url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(authority)})


def refusal(folder: Path, url: sa.URL, *arguments: str) -> str:
    """Why `mien db upgrade`, or another command, does not get to work, in one line."""
    done = mien(folder, *(arguments or ("db", "upgrade")), variables=database(url))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "hush" not in done.stderr
    assert "sslrootcert" not in done.stderr
    return done.stderr


def works(folder: Path, url: sa.URL, *arguments: str, **environment: str) -> str:
    """What a command says that does its work."""
    done = mien(folder, *arguments, variables=database(url) | environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def database(url: sa.URL) -> dict[str, str]:
    return {"MIEN_DATABASE": url.render_as_string(hide_password=False)}


def test_a_verified_connection_is_encrypted(owner: sa.URL, secured: Secured, tmp_path: Path) -> None:
    works(tmp_path, verified(owner, secured.authority), "db", "upgrade")
    log = (secured.server.folder / "log").read_text()
    sessions = re.findall(rf"connection authorized: user={owner.username} .*", log)
    assert sessions
    assert all("SSL enabled (protocol=TLSv1.3" in session for session in sessions)


def test_without_tls_there_is_no_way_in(owner: sa.URL, tmp_path: Path) -> None:
    assert "no encryption" in refusal(tmp_path, owner.update_query_dict({"sslmode": "disable"}))


def test_a_server_that_another_authority_vouches_for_is_refused(owner: sa.URL, tmp_path: Path) -> None:
    other = make_authority(tmp_path / "other")
    assert "certificate verify failed" in refusal(tmp_path, verified(owner, other))


def test_a_server_of_another_name_is_refused(owner: sa.URL, secured: Secured, tmp_path: Path) -> None:
    message = refusal(tmp_path, verified(owner.set(host="localhost"), secured.authority))
    assert 'does not match host name "localhost"' in message


def test_an_authority_that_is_not_there_is_named(owner: sa.URL, tmp_path: Path) -> None:
    done = mien(tmp_path, "db", "upgrade", variables=database(verified(owner, tmp_path / "none.crt")))
    assert done.returncode == 2
    assert f'root certificate file "{tmp_path}/none.crt" does not exist' in done.stderr


def test_a_wrong_password_is_refused_and_not_repeated(
    owner: sa.URL, secured: Secured, tmp_path: Path
) -> None:
    wrong = verified(owner.set(password="hush!"), secured.authority)
    assert "password authentication failed" in refusal(tmp_path, wrong)


def test_roles_log_in_with_the_passwords_that_they_were_given(
    owner: sa.URL, secured: Secured, tmp_path: Path
) -> None:
    url, mark = verified(owner, secured.authority), uuid.uuid4().hex[:8]
    writer, reader = f"writer_{mark}", f"reader_{mark}"
    said = works(
        tmp_path,
        url,
        *("db", "upgrade", "--writer", writer, "--reader", reader),
        MIEN_WRITER_PASSWORD=PASSWORD,
        MIEN_READER_PASSWORD=f"{PASSWORD}2",
    )
    assert f"{writer} may store\n{reader} may read\n" in said
    assert PASSWORD not in said

    works(tmp_path, url.set(username=writer, password=PASSWORD), "cameras", "add", "till", "demo://till")
    engine = sa.create_engine(secured.server.url.set(database=owner.database))
    assert [row["id"] for row in rows(engine, tables.cameras)] == ["till"]
    engine.dispose()
    reading = url.set(username=reader, password=f"{PASSWORD}2")
    assert "ok  version" in works(tmp_path, reading, "db", "check")
    assert "read-only transaction" in refusal(tmp_path, reading, "cameras", "add", "door", "demo://door")
    crossed = url.set(username=writer, password=f"{PASSWORD}2")
    assert "password authentication failed" in refusal(tmp_path, crossed)
    assert PASSWORD not in (secured.server.folder / "log").read_text()


def test_a_password_changes_and_otherwise_stays(owner: sa.URL, secured: Secured, tmp_path: Path) -> None:
    url, name = verified(owner, secured.authority), f"writer_{uuid.uuid4().hex[:8]}"

    def upgrade(**environment: str) -> None:
        works(tmp_path, url, "db", "upgrade", "--writer", name, **environment)

    def logs_in(password: str) -> bool:
        given = database(url.set(username=name, password=password))
        return mien(tmp_path, "db", "check", variables=given).returncode == 0

    upgrade()
    assert not logs_in("first")
    upgrade(MIEN_WRITER_PASSWORD="first")
    upgrade()
    assert logs_in("first")
    upgrade(MIEN_WRITER_PASSWORD="second")
    assert logs_in("second")
    assert not logs_in("first")
