"""Processes of scaled mode: CPU affinity, processor time and metrics."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import free_port, surroundings

_MIEN = str(Path(sys.executable).with_name("mien"))
_STOP_S = 30.0
_POLL_S = 0.1
_WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""This machine is never asked through a proxy of the environment."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_ENDED = (FileNotFoundError, ProcessLookupError)
"""What reading the state of a process raises after it has ended."""

Samples = Mapping[str, list[tuple[Mapping[str, str], float]]]
"""Labels and value of every sample, by name."""


class Process:
    """A process `mien ARGUMENTS` with its metrics; stopped by SIGTERM.

    Args:
        folder: its working directory, which also contains its log.
        variables: its settings, by environment variable.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str], *arguments: str) -> None:
        port = free_port()
        self._metrics = f"http://127.0.0.1:{port}/metrics"
        self._log = folder / f"{arguments[0]}-{port}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [_MIEN, *arguments],
                cwd=folder,
                env=surroundings(folder, {**variables, "MIEN_HEALTH_PORT": str(port)}),
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def samples(self) -> Samples:
        """The present samples of /metrics; empty before it responds.

        Raises RuntimeError with the end of the log if the process has ended.
        """
        if (code := self._process.poll()) is not None:
            raise RuntimeError(f"{self._log.stem} ended with {code}: {self._log.read_text()[-2000:]}")
        try:
            with _WITHOUT_PROXY.open(self._metrics, timeout=5) as response:
                text = response.read().decode()
        except OSError:
            return {}
        found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def wait_for(processes: Iterable[Process], name: str, seconds: float = 90.0) -> None:
    """Wait until every process has a sample of that name.

    Raises TimeoutError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    for process in processes:
        while name not in process.samples():
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {name} within {seconds:g} s")
            time.sleep(_POLL_S)


@contextmanager
def bind_to_cores(cores: Collection[int]) -> Iterator[None]:
    """Bind this thread, and the processes that it starts within the block, to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def rebind(pids: Iterable[int], cores: Collection[int]) -> None:
    """Bind running processes and their descendants to these cores."""
    for pid in _find_descendants(pids):
        with suppress(*_ENDED):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), cores)


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of processes and their descendants, including those that have ended."""
    return sum(sum(each[11:15]) for each in _read_stats(_find_descendants(pids)).values()) / _TICKS_PER_S


def _find_descendants(pids: Iterable[int]) -> set[int]:
    """The processes and their descendants."""
    parents = {
        pid: stat[1] for pid, stat in _read_stats(map(int, filter(str.isdigit, os.listdir("/proc")))).items()
    }
    family = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _read_stats(pids: Iterable[int]) -> dict[int, list[int]]:
    """The numbers of /proc/PID/stat after the name, by process; the first, a letter, is replaced by 0.

    Processes that have ended are left out.
    """
    found = {}
    for pid in pids:
        with suppress(*_ENDED):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            found[pid] = [0, *map(int, fields[1:15])]
    return found
