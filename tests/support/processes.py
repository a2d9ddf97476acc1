"""Run `mien` as a user does: as a process with its own folder, settings and temporary files."""

from __future__ import annotations

import itertools
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

MIEN = str(Path(sys.executable).with_name("mien"))

_FIRST_PORT, _PORTS_PER_WORKER, _MOST_WORKERS = 10_000, 1000, 20
"""Below the ports that Linux gives to outgoing connections, 32768 and above."""

Variables = Mapping[str, str] | None


def surroundings(folder: Path, variables: Variables = None) -> dict[str, str]:
    """The caller's environment, only these settings of Mien, and temporary files below `folder`."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    return kept | {"TMPDIR": str(temporary), "COLUMNS": "160", "NO_COLOR": "1", **(variables or {})}


def mien(
    folder: Path,
    *arguments: object,
    timeout: float = 120,
    variables: Variables = None,
    under: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run `mien ARGUMENTS` in `folder` with these settings until it ends, as a child of `under`."""
    return subprocess.run(
        [*under, MIEN, *map(str, arguments)],
        cwd=folder,
        env=surroundings(folder, variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def running(
    folder: Path, *arguments: object, variables: Variables = None, under: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A running `mien ARGUMENTS`; it is killed if it still runs at the end of the block."""
    process = subprocess.Popen(
        [*under, MIEN, *map(str, arguments)],
        cwd=folder,
        env=surroundings(folder, variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()
    finally:
        process.wait()


def wait_for_end(pid: int, seconds: float = 60) -> None:
    """Wait until a process that is not a child of this one has ended."""
    deadline = time.monotonic() + seconds
    while _is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _ports_of_this_worker() -> Iterator[int]:
    """All ports of this test process, from a random one on: each worker of pytest-xdist has its own block."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", f"gw{_MOST_WORKERS}").removeprefix("gw"))
    first = _FIRST_PORT + worker % (_MOST_WORKERS + 1) * _PORTS_PER_WORKER
    start = random.randrange(_PORTS_PER_WORKER)
    return (first + (start + number) % _PORTS_PER_WORKER for number in itertools.count())


_ports = _ports_of_this_worker()


def free_port() -> int:
    """A TCP port on loopback without a listener; no other test of this run is given the same one."""
    for port in itertools.islice(_ports, _PORTS_PER_WORKER):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port among the {_PORTS_PER_WORKER} of this worker")
