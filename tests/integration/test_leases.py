"""Two processes on one database never capture a camera twice, and one continues where the other ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from storage.engine import open_database
from tests.support.processes import mien, running
from tests.support.recordings import recording

PATIENCE_S = 120.0
LIVE = {"MIEN_MOTION_GATE": "false", "MIEN_WORKERS": "1", "MIEN_MAX_FRAME_AGE": "60"}
"""Every picture is published, and is analysed however busy the machine is."""


@dataclass
class Run:
    """A running `mien run --no-dashboard`; its output is collected."""

    process: Any
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def says(self, words: str) -> bool:
        return any(words in line for line in list(self.lines))

    def join(self) -> None:
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line)


@dataclass
class Shop:
    """A database with cameras, and the processes that capture them."""

    folder: Path
    engine: sa.Engine
    variables: dict[str, str]

    @contextmanager
    def run(self, *arguments: object) -> Iterator[Run]:
        with running(self.folder, "run", "--no-dashboard", *arguments, variables=self.variables) as process:
            run = Run(process)
            try:
                yield run
            finally:
                process.kill()
                run.join()

    def mien(self, *arguments: object) -> None:
        done = mien(self.folder, *arguments, variables=self.variables)
        assert done.returncode == 0, done.stdout + done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def suspend(self, run: Run) -> None:
        """Suspend a process that holds no lock on SQLite's file: nobody else could release it."""
        with self.engine.begin():  # Takes the write lock of SQLite.
            run.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, run.process.pid, os.WSTOPPED)

    def epochs(self, camera: str) -> dict[int, int]:
        """The last sequence number of each opening of a camera's source."""
        return dict(self.rows(f"select epoch, seq from last_frames where camera_id = '{camera}' order by 1"))  # type: ignore[arg-type]

    def holder(self, camera: str) -> int:
        """The process that captures a camera, by its number; 0 without one."""
        found = self.rows(f"select process from camera_leases where camera_id = '{camera}' and holder <> ''")
        return int(re.findall(r"pid (\d+)", found[0][0])[0]) if found else 0

    def assert_each_frame_has_one_outcome(self) -> None:
        outcomes = "analysed + unchanged + stale + failed + superseded + dropped"
        wrong = f"select camera_id, captured, {outcomes} from camera_minutes where captured <> {outcomes}"
        assert self.rows(wrong) == []


@contextmanager
def open_shop(folder: Path, url: str) -> Iterator[Shop]:
    engine = open_database(url)
    yield Shop(folder, engine, {**LIVE, "MIEN_DATABASE": url})
    engine.dispose()


@pytest.fixture
def shop(tmp_path: Path, migrated_url: str) -> Iterator[Shop]:
    with open_shop(tmp_path, migrated_url) as opened:
        yield opened


@pytest.fixture
def local_shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path, f"sqlite:///{tmp_path}/mien.db") as opened:
        yield opened


def until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.05)


def wait_for_frames(shop: Shop, epoch: int, more: int) -> None:
    before = shop.epochs("entrance")[epoch]
    until(lambda: shop.epochs("entrance")[epoch] > before + more, "more frames")


def test_of_two_runs_one_captures_and_each_continues_where_the_other_stalls_or_dies(shop: Shop) -> None:
    shop.mien("cameras", "add", "entrance", "demo://entrance")
    with shop.run() as one, shop.run() as two:
        until(lambda: bool(shop.epochs("entrance")), "one run captures")
        by_pid = {each.process.pid: each for each in (one, two)}
        first = by_pid.pop(shop.holder("entrance"))
        (second,) = by_pid.values()
        until(lambda: second.says(f"pid {first.process.pid}"), "the other run says who captures")
        (before,) = shop.epochs("entrance").values()
        until(lambda: max(shop.epochs("entrance").values()) > before + 15, "more frames")
        # Frames that the capture itself drops are counted, too; only those that a worker read have a number.
        ((read,),) = shop.rows("select sum(analysed + stale + failed + superseded) from camera_minutes")
        ((old, last),) = shop.epochs("entrance").items()
        assert read <= last + 1, "each frame counts once"

        shop.suspend(first)
        try:
            until(lambda: len(shop.epochs("entrance")) == 2, "the other run takes over")
        finally:
            first.process.send_signal(signal.SIGCONT)
        until(lambda: first.says("is held by"), "the suspended run notices")
        until(lambda: first.says(f"pid {second.process.pid}, so that this process stands by"), "it stands by")
        new = max(shop.epochs("entrance"))
        wait_for_frames(shop, new, 20)  # Meanwhile the suspended run counts what it had captured before.
        settled = shop.epochs("entrance")[old]
        wait_for_frames(shop, new, 20)
        assert shop.epochs("entrance").keys() == {old, new}, "the suspended run did not open the camera again"
        assert shop.epochs("entrance")[old] == settled, "it counts nothing more"
        assert shop.holder("entrance") == second.process.pid

        second.process.kill()
        until(lambda: len(shop.epochs("entrance")) == 3, "the first run takes over again")
        assert shop.holder("entrance") == first.process.pid
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(PATIENCE_S) == 0
    assert shop.holder("entrance") == 0, "a process that stops releases its leases"
    shop.assert_each_frame_has_one_outcome()
    shop.mien("db", "check")


def test_a_recording_is_not_read_by_a_second_run(local_shop: Shop) -> None:
    shop = local_shop
    source = recording(shop.folder / "aisle.mp4", frames=150)
    shop.mien("cameras", "add", "clip", recording(shop.folder / "clip.mp4", frames=6000))
    with shop.run() as first:
        until(lambda: shop.holder("clip") == first.process.pid, "the first run reads it")
        second = mien(shop.folder, "run", "--no-dashboard", variables=shop.variables)
        assert second.returncode == 1, second.stderr
        assert f"clip: is read by {socket.gethostname()} pid {first.process.pid}" in second.stdout
        assert len(shop.epochs("clip")) == 1

    with shop.run("--source", source, "--loop") as first:
        until(lambda: shop.holder("aisle") == first.process.pid, "the first run reads it")
        again = mien(shop.folder, "run", "--no-dashboard", "--source", source, variables=shop.variables)
        assert again.returncode == 2
        assert f"pid {first.process.pid} captures this source" in again.stderr
        assert len(again.stderr.strip().splitlines()) == 1

        (shop.folder / "other").mkdir()
        other = recording(shop.folder / "other" / "aisle.mp4", frames=30)
        done = mien(shop.folder, "run", "--source", other, "--fast", variables=shop.variables)
        assert done.returncode == 0, done.stderr
        counts = "select sum(captured), sum(analysed) from camera_minutes where camera_id = 'aisle-2'"
        assert shop.rows(counts) == [(30, 30)], "another source with the same name is a camera of its own"
        assert shop.holder("aisle") == first.process.pid
