"""`mien ingest` as processes that a scenario kills, suspends and replaces."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from common.access import LOCAL
from storage.registry import CameraRegistry, CameraRow
from tests.chaos.cameras import CAMERAS
from tests.chaos.environment import Deployment
from tests.support.processes import MIEN, surroundings

_STOP_SECONDS = 30.0
_SETTLED_SECONDS = 1.5
_LEFT_OPEN = (
    "select count(*) from pg_stat_activity where datname = current_database() "
    "and state = 'idle in transaction' and state_change < clock_timestamp() - interval '1 second'"
)
_SETTINGS = {"MIEN_MOTION_GATE": "false"}
"""Every picture is published, so that a gap in the sequence numbers is a frame that was dropped or lost."""


class CaptureProcess:
    """One `mien ingest` process."""

    def __init__(self, folder: Path, variables: Mapping[str, str], number: int) -> None:
        self.log = folder / f"ingest-{number}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [MIEN, "ingest"],
                cwd=folder,
                env=surroundings(folder, {**variables, **_SETTINGS}),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def suspend(self) -> None:
        """Send SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        self.process.send_signal(signal.SIGCONT)


class CaptureGroup:
    """The processes that capture the registered cameras of one deployment.

    `failed_logs`: the logs of processes that ended by themselves, or with an error after SIGTERM.
    """

    def __init__(self, deployment: Deployment, size: int = 2) -> None:
        self._deployment, self._size = deployment, size
        self._started = 0
        self.processes: list[CaptureProcess] = []
        self.failed_logs: list[Path] = []

    def __enter__(self) -> CaptureGroup:
        registry = CameraRegistry(self._deployment.engine)
        for camera in CAMERAS:
            registry.add(LOCAL, CameraRow(camera, f"demo://{camera}"))
        for _ in range(self._size):
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.failed_logs += [each.log for each in self.processes if each.process.poll() is not None]
        for each in self.processes:
            each.process.send_signal(signal.SIGTERM)
        for each in self.processes:
            try:
                if each.process.wait(_STOP_SECONDS):
                    self.failed_logs.append(each.log)
            except subprocess.TimeoutExpired:
                each.kill()
                self.failed_logs.append(each.log)

    def start(self) -> None:
        """Add one process."""
        self._started += 1
        self.processes.append(
            CaptureProcess(self._deployment.folder, self._deployment.variables, self._started)
        )

    def suspend(self, process: CaptureProcess) -> None:
        """Suspend a process between two transactions: the locks of an open one are held for a minute."""
        process.suspend()
        time.sleep(_SETTLED_SECONDS)
        while self._deployment.rows(_LEFT_OPEN) != [(0,)]:
            process.resume()
            time.sleep(0.1)
            process.suspend()
            time.sleep(_SETTLED_SECONDS)

    def busiest(self) -> CaptureProcess:
        """The process that captures the most cameras."""
        holders = [
            int(number)
            for (process,) in self._deployment.rows("select process from camera_leases where holder <> ''")
            for number in re.findall(r"pid (\d+)$", process)
        ]
        return max(self.processes, key=lambda each: holders.count(each.process.pid))
