"""`mien run` while its SQLite file is deleted, or moved away and back."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.processes import MIEN, surroundings

PATIENCE_S = 120.0
ARGUMENTS = ("run", "--source", "demo://entrance", "--no-dashboard")


def analysed(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as connection:
        try:
            (count,) = connection.execute("SELECT coalesce(sum(analysed), 0) FROM camera_minutes").fetchone()
        except sqlite3.OperationalError:
            return 0
    return int(count)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.1)


def move(folder: Path, target: Path) -> None:
    for path in list(folder.glob("mien.db*")):
        path.rename(target / path.name)


@contextmanager
def started(folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running `mien run` whose output is in `log`; it is killed if it still runs at the end."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [MIEN, *ARGUMENTS], cwd=folder, env=surroundings(folder), stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_file_that_disappears_is_an_outage(tmp_path: Path, comes_back: bool) -> None:
    folder, elsewhere, log = tmp_path / "shop", tmp_path / "elsewhere", tmp_path / "log"
    folder.mkdir()
    elsewhere.mkdir()
    with started(folder, log) as process:
        wait_until(lambda: analysed(folder / "mien.db") > 5, "frames are analysed")
        move(folder, elsewhere)
        wait_until(lambda: "was deleted or moved away" in log.read_text(), "a line in the log")
        assert process.poll() is None
        if comes_back:
            before = analysed(elsewhere / "mien.db")
            move(elsewhere, folder)
            wait_until(lambda: analysed(folder / "mien.db") > before + 5, "it continues")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == (0 if comes_back else 1)
    text = log.read_text()
    assert "Traceback" not in text
    assert ("the last results are lost" in text) is not comes_back
    assert comes_back == (folder / "mien.db").exists(), "no empty file takes the place of the missing one"
