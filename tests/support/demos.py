"""A running `mien demo`."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, running


@contextmanager
def demo(folder: Path, under: Sequence[str] = ()) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a running demo and its process."""
    port = free_port()
    with running(folder, "demo", "--port", port, under=under) as process:
        assert process.stdout
        address = f"http://127.0.0.1:{port}"
        assert any(f"Dashboard: {address}" in line for line in process.stdout), (
            "it ended before it printed its address"
        )
        yield address, process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.stdout
    output = process.stdout.read()
    assert process.wait(30) == 0, output
