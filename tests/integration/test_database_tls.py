"""PostgreSQL that requires TLS and passwords, and the roles that `mien db upgrade` creates there.

All commands run as processes: TensorFlow, which other tests load into this one, contains another TLS library
that conflicts with the one of libpq.
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
from tests.support.postgres import SUPERUSER, Server, make_authority, private_server
from tests.support.processes import mien

pytestmark = pytest.mark.integration

PASSWORD = "p@ss:w/rd?&#% '\"\\"


@dataclass(frozen=True)
class Secured:
    """A server that requires TLS and a password; `authority` signed its certificate."""

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
    """The URL of an empty database of an owner with a password, without TLS options."""
    name = f"owner_{uuid.uuid4().hex[:8]}"
    with secured.server.database() as database:
        secured.server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hush'")
        secured.server.execute(f"ALTER DATABASE {database} OWNER TO {name}")
        yield secured.server.over_tcp(database, name, "hush")


@pytest.fixture
def administrator(owner: sa.URL, secured: Secured) -> sa.URL:
    """The verified URL of the same database for a superuser, who may create roles on any server."""
    secured.server.execute(f"ALTER ROLE {SUPERUSER} PASSWORD 'hush'")
    return verified(owner.set(username=SUPERUSER), secured.authority)


def verified(url: sa.URL, authority: Path) -> sa.URL:
    return url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(authority)})


def refusal(folder: Path, url: sa.URL, *arguments: str) -> str:
    """The one-line error of `mien db upgrade`, or of another command."""
    done = mien(folder, *(arguments or ("db", "upgrade")), variables=database(url))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "hush" not in done.stderr
    assert "sslrootcert" not in done.stderr
    return done.stderr


def output(folder: Path, url: sa.URL, *arguments: str, **environment: str) -> str:
    """The output of a command that succeeds."""
    done = mien(folder, *arguments, variables=database(url) | environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def database(url: sa.URL) -> dict[str, str]:
    return {"MIEN_DATABASE": url.render_as_string(hide_password=False)}


def test_a_verified_connection_is_encrypted(owner: sa.URL, secured: Secured, tmp_path: Path) -> None:
    output(tmp_path, verified(owner, secured.authority), "db", "upgrade")
    log = (secured.server.folder / "log").read_text()
    sessions = re.findall(rf"connection authorized: user={owner.username} .*", log)
    assert sessions
    assert all("SSL enabled (protocol=TLSv1.3" in session for session in sessions)


def test_a_connection_without_tls_is_refused(owner: sa.URL, tmp_path: Path) -> None:
    assert "no encryption" in refusal(tmp_path, owner.update_query_dict({"sslmode": "disable"}))


def test_a_certificate_of_another_authority_is_refused(owner: sa.URL, tmp_path: Path) -> None:
    other = make_authority(tmp_path / "other")
    assert "certificate verify failed" in refusal(tmp_path, verified(owner, other))


def test_a_certificate_with_another_name_is_refused(owner: sa.URL, secured: Secured, tmp_path: Path) -> None:
    message = refusal(tmp_path, verified(owner.set(host="localhost"), secured.authority))
    assert 'does not match host name "localhost"' in message


def test_a_missing_authority_file_is_in_the_error(owner: sa.URL, tmp_path: Path) -> None:
    done = mien(tmp_path, "db", "upgrade", variables=database(verified(owner, tmp_path / "none.crt")))
    assert done.returncode == 2
    assert f'root certificate file "{tmp_path}/none.crt" does not exist' in done.stderr


def test_a_wrong_password_is_refused_and_not_in_the_error(
    owner: sa.URL, secured: Secured, tmp_path: Path
) -> None:
    wrong = verified(owner.set(password="hush!"), secured.authority)
    assert "password authentication failed" in refusal(tmp_path, wrong)


def test_roles_log_in_with_their_passwords(administrator: sa.URL, secured: Secured, tmp_path: Path) -> None:
    url, mark = administrator, uuid.uuid4().hex[:8]
    writer, reader = f"writer_{mark}", f"reader_{mark}"
    printed = output(
        tmp_path,
        url,
        *("db", "upgrade", "--writer", writer, "--reader", reader),
        MIEN_WRITER_PASSWORD=PASSWORD,
        MIEN_READER_PASSWORD=f"{PASSWORD}2",
    )
    assert f"{writer} may store\n{reader} may read\n" in printed
    assert PASSWORD not in printed

    output(tmp_path, url.set(username=writer, password=PASSWORD), "cameras", "add", "till", "demo://till")
    engine = sa.create_engine(secured.server.url.set(database=administrator.database))
    assert [row["id"] for row in rows(engine, tables.cameras)] == ["till"]
    engine.dispose()
    reading = url.set(username=reader, password=f"{PASSWORD}2")
    assert "ok  version" in output(tmp_path, reading, "db", "check")
    assert "read-only transaction" in refusal(tmp_path, reading, "cameras", "add", "door", "demo://door")
    crossed = url.set(username=writer, password=f"{PASSWORD}2")
    assert "password authentication failed" in refusal(tmp_path, crossed)
    assert PASSWORD not in (secured.server.folder / "log").read_text()


def test_an_upgrade_changes_a_password_only_if_one_is_given(administrator: sa.URL, tmp_path: Path) -> None:
    url, name = administrator, f"writer_{uuid.uuid4().hex[:8]}"

    def upgrade(**environment: str) -> None:
        output(tmp_path, url, "db", "upgrade", "--writer", name, **environment)

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
