"""PgBouncer in front of the PostgreSQL server of the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.processes import free_port

_PATIENCE_S = 30.0


@contextmanager
def pgbouncer(server: sa.URL, mode: str = "transaction", ignored: str = "") -> Iterator[sa.URL]:
    """The URL of a database through PgBouncer, with few connections to the server.

    Args:
        server: the database; its server trusts local connections.
        mode: `transaction`, `session` or `statement`.
        ignored: start-up options that PgBouncer ignores instead of refusing them.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        reason = "pgbouncer is missing"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="mien-pooler-") as name:
        folder, port = Path(name), free_port()
        host, server_port = server.host or server.query["host"], server.port or server.query["port"]
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": mode,
            "default_pool_size": 2,
            "ignore_startup_parameters": ignored,
        }
        lines = [
            "[databases]",
            f"* = host={host} port={server_port} user={server.username}",
            "[pgbouncer]",
            *(f"{key} = {value}" for key, value in settings.items()),
        ]
        (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        command = [program, str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
            command = ["runuser", "-u", "postgres", "--", *command]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log)
        try:
            _wait_for(port, process, folder / "log")
            yield server.set(host="127.0.0.1", port=port, query={})
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
