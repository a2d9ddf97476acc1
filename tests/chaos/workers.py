"""`mien work` as processes that a scenario kills, stops and replaces."""

from __future__ import annotations

import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from benchmarks.machine import resident_mb
from tests.support.processes import MIEN, free_port, surroundings

_STOP_SECONDS = 30.0


class WorkerProcess:
    """One `mien work` process."""

    def __init__(self, folder: Path, variables: Mapping[str, str], number: int) -> None:
        self._port = free_port()
        self.log = folder / f"worker-{number}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [MIEN, "work"],
                cwd=folder,
                env=surroundings(folder, {**variables, "MIEN_HEALTH_PORT": str(self._port)}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def has_partition(self) -> bool:
        """Whether a partition was assigned to it since it started."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                return re.search(rb'^mien_lag_records\{partition="', answer.read(), re.MULTILINE) is not None
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> float:
        """Send SIGTERM, and SIGKILL where it does not end; return the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - began

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()


class WorkerGroup:
    """The workers of one deployment. `failed_logs`: the logs of workers that ended without a signal."""

    def __init__(self, folder: Path, variables: Mapping[str, str], size: int = 2) -> None:
        self._folder, self._variables = folder, variables
        self._started = 0
        self.workers: list[WorkerProcess] = []
        self.failed_logs: list[Path] = []
        self._size = size

    def __enter__(self) -> WorkerGroup:
        for _ in range(self._size):
            self.start_worker()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.replace_ended()
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                self.failed_logs.append(worker.log)

    def start_worker(self) -> WorkerProcess:
        """Add one worker."""
        self._started += 1
        self.workers.append(WorkerProcess(self._folder, self._variables, self._started))
        return self.workers[-1]

    def remove_oldest(self) -> WorkerProcess:
        """Remove the worker that started first; the caller ends it."""
        return self.workers.pop(0)

    def replace_ended(self) -> None:
        """Note which workers ended without a signal, and start another one for each."""
        for worker in [each for each in self.workers if each.process.poll() is not None]:
            self.workers.remove(worker)
            self.failed_logs.append(worker.log)
            self.start_worker()

    def is_ready(self) -> bool:
        """Whether every worker has a partition."""
        self.replace_ended()
        return all(worker.has_partition for worker in self.workers)

    def memory_mb(self) -> float:
        """The memory of all workers together, in MB (10^6 bytes)."""
        return sum(resident_mb(worker.process.pid) for worker in self.workers)
