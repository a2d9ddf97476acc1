"""Resident memory of `mien run` over time, measured from outside the process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.latency import FPS, write_clip
from benchmarks.machine import resident_mb

_MIEN = Path(sys.executable).with_name("mien")
_STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory of the process (MB) over time (seconds since its start)."""

    cameras: int
    fps: float
    seconds: list[float]
    resident_mb: list[float]
    analysed: int
    """Frames that were stored."""
    database_mb: float
    """Size of the database's files at the end."""

    @property
    def settled_mb(self) -> float:
        """The mean over the second tenth of the time; everything is loaded during the first."""
        tenth = max(len(self.resident_mb) // 10, 1)
        return fmean(self.resident_mb[tenth : 2 * tenth] or self.resident_mb)

    @property
    def last_mb(self) -> float:
        """The mean over the last tenth of the time."""
        return fmean(self.resident_mb[-max(len(self.resident_mb) // 10, 1) :])


def measure(data: Path, cameras: int, seconds: float, every_s: float) -> Memory:
    """Run cameras for `seconds`, and sample the memory every `every_s` seconds.

    Raises RuntimeError with the end of the log if the process ends early or with an error.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = ["--source", str(write_clip(data, folder))] * cameras
        command = [str(_MIEN), "run", *sources, "--loop", "--no-dashboard", "--fps", str(FPS)]
        with (folder / "log").open("w+") as log:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdout=log,
                stderr=log,
                env=os.environ | {"MIEN_DATABASE": "sqlite:///mien.db"},
            )
            times, sizes = _sample_memory(process, seconds, every_s)
            ended_early = process.poll() is not None
            process.terminate()
            if (code := process.wait(_STOP_S)) or ended_early:
                log.seek(0)
                raise RuntimeError(f"mien run ended with {code}: {log.read()[-2000:]}")
        return Memory(
            cameras=cameras,
            fps=FPS,
            seconds=times,
            resident_mb=sizes,
            analysed=_count_analysed(folder / "mien.db"),
            database_mb=sum(path.stat().st_size for path in folder.glob("mien.db*")) / 1e6,
        )


def _sample_memory(
    process: subprocess.Popen[bytes], seconds: float, every_s: float
) -> tuple[list[float], list[float]]:
    began = time.monotonic()
    times: list[float] = []
    sizes: list[float] = []
    while (now := time.monotonic() - began) < seconds:
        with suppress(subprocess.TimeoutExpired):
            process.wait(every_s)
            break
        try:
            sizes.append(round(resident_mb(process.pid), 1))
        except ValueError:  # It ends right now: its memory is gone before it can be waited for.
            process.wait(_STOP_S)
            break
        times.append(round(now, 1))
    return times, sizes


def _count_analysed(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT sum(analysed) FROM camera_minutes").fetchone()[0] or 0)
    finally:
        connection.close()
