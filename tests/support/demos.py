"""A running demo."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, running


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of a running demo."""
    port = free_port()
    with running(folder, "demo", "--port", port) as process:
        assert process.stdout
        address = f"http://127.0.0.1:{port}"
        assert any(address in line for line in process.stdout), "it ended before it told its address"
        yield address, process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.stdout
    words = process.stdout.read()
    assert process.wait(30) == 0, words
