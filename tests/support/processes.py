"""Running `mien` as a user does: a process with its own folder, settings and temporary files."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MIEN = str(Path(sys.executable).with_name("mien"))


Variables = Mapping[str, str] | None


def surroundings(folder: Path, variables: Variables = None) -> dict[str, str]:
    """The caller's environment with these settings alone, and temporary files below `folder`."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MIEN_")}
    return kept | {"TMPDIR": str(temporary), "COLUMNS": "160", "NO_COLOR": "1", **(variables or {})}


def mien(
    folder: Path, *arguments: object, timeout: float = 120, variables: Variables = None
) -> subprocess.CompletedProcess[str]:
    """A finished `mien ARGUMENTS` in `folder`, with these settings."""
    return subprocess.run(
        [MIEN, *map(str, arguments)],
        cwd=folder,
        env=surroundings(folder, variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@contextmanager
def running(folder: Path, *arguments: object, variables: Variables = None) -> Iterator[subprocess.Popen[str]]:
    """A running `mien ARGUMENTS`; killed at the end where it has not ended by then."""
    process = subprocess.Popen(
        [MIEN, *map(str, arguments)],
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


def free_port() -> int:
    """A TCP port on loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
