"""A PostgreSQL server of the tests' own, to be stopped, started again and asked for TLS.

The database's files belong to a folder that goes with it. It runs as `postgres` where the tests run as root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa

from tests.support.processes import free_port

SUPERUSER = "postgres"


def _program(name: str) -> str:
    """A program of PostgreSQL's; skips where it is missing, which in CI is a failure."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found is None:
        _unavailable(f"{name} is missing: install PostgreSQL's server")
    return found


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"no PostgreSQL server: {reason}")


class Server:
    """One server on a loopback port and a socket in `folder`; it keeps both when it starts again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._data = folder / "data"
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        self._run("initdb", "-A", "trust", "-E", "UTF8", "-U", SUPERUSER, "--no-sync")

    @property
    def url(self) -> sa.URL:
        """The database `postgres`, as the superuser, over the socket."""
        return sa.URL.create(
            "postgresql+psycopg",
            SUPERUSER,
            database="postgres",
            query={"host": str(self.folder), "port": str(self.port)},
        )

    def start(self, durable: bool = False) -> None:
        """Start it; returns once it answers. `durable`: what is committed outlives the machine."""
        fsync = "on" if durable else "off"
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync={fsync}"
        self._run("pg_ctl", "-w", "-s", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; `fast` ends sessions in order, `immediate` is a crash."""
        self._run("pg_ctl", "-w", "-s", "-m", mode, "stop")

    def stall(self) -> None:
        """Stop answering while every connection stays open, and take in new ones without a word."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after a stall."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """To the server, and then to its processes of that moment: no new one comes in between."""
        server = (self._data / "postmaster.pid").read_text().split()[0]
        os.kill(int(server), number)
        for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            with suppress(ProcessLookupError):  # One that was told to end may do so as soon as all go on.
                os.kill(int(child), number)

    def require_tls(self, names: str) -> Path:
        """Take connections over TCP only with TLS and a password; before `start`.

        `names` are the certificate's, as openssl's subjectAltName wants them. Returns the certificate of
        the authority that signed it.
        """
        authority = make_authority(self.folder / "authority")
        request = self.folder / "server.csr"
        key, certificate = self.folder / "server.key", self.folder / "server.crt"
        extension = self.folder / "names"
        extension.write_text(f"subjectAltName={names}\n")
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=server"
        )
        signed = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial", "-days", 2)
        _openssl("x509", "-req", "-in", request, "-out", certificate, "-extfile", extension, *signed)
        key.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(key, "postgres")
        with (self._data / "postgresql.conf").open("a") as configuration:
            configuration.write(
                f"ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\nlog_connections = on\n"
            )
        (self._data / "pg_hba.conf").write_text(
            "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        return authority

    def over_tcp(self, database: str, user: str = SUPERUSER, password: str | None = None) -> sa.URL:
        """A database by way of the loopback port."""
        return sa.URL.create("postgresql+psycopg", user, password, "127.0.0.1", self.port, database)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of an empty database that is dropped afterwards."""
        name = f"mien_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser, outside of any transaction."""
        engine = sa.create_engine(self.url.set(database=database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        command = [_program(program), "-D", str(self._data), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Not a pipe: the server would inherit it and hold it open.
        with (self.folder / f"{program}.out").open("w+") as output:
            done = subprocess.run(command, cwd="/", stdout=output, stderr=output, timeout=120, check=False)
            output.seek(0)
            assert done.returncode == 0, output.read()


@contextmanager
def private_server() -> Iterator[Server]:
    """A server that was not started yet; stopped and removed afterwards."""
    _program("initdb")
    with tempfile.TemporaryDirectory(prefix="mien-pg-") as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            if (server.folder / "data" / "postmaster.pid").exists():
                server.stop("immediate")


def make_authority(path: Path) -> Path:
    """A new certificate authority: PATH.crt, which is returned, and PATH.key."""
    certificate, key = path.with_suffix(".crt"), path.with_suffix(".key")
    options = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", 2, "-subj", f"/CN={path.name}")
    _openssl("req", *options, "-keyout", key, "-out", certificate)
    return certificate


def _openssl(*arguments: object) -> None:
    if shutil.which("openssl") is None:
        _unavailable("openssl is missing")
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
