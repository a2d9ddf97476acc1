"""`mien work` as processes that are killed, stopped and replaced."""

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


class Hand:
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
    def has_a_lane(self) -> bool:
        """Whether it was given a partition since it started."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                return re.search(rb'^mien_lag_records\{partition="', answer.read(), re.MULTILINE) is not None
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> float:
        """SIGTERM, and SIGKILL where it does not end; the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


class Crew:
    """The workers of one stage. `lost`: logs of those that ended by themselves."""

    def __init__(self, folder: Path, variables: Mapping[str, str], size: int = 2) -> None:
        self._folder, self._variables = folder, variables
        self._started = 0
        self.hands: list[Hand] = []
        self.lost: list[Path] = []
        self._size = size

    def __enter__(self) -> Crew:
        for _ in range(self._size):
            self.hire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.look()
        for hand in self.hands:
            hand.process.send_signal(signal.SIGTERM)
        for hand in self.hands:
            try:
                hand.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                hand.kill()
                self.lost.append(hand.log)

    def hire(self) -> Hand:
        """One more worker."""
        self._started += 1
        self.hands.append(Hand(self._folder, self._variables, self._started))
        return self.hands[-1]

    def take_oldest(self) -> Hand:
        """The worker that is there for longest; it belongs to the caller now."""
        return self.hands.pop(0)

    def look(self) -> None:
        """Note who ended without being told to; each is replaced."""
        for hand in [each for each in self.hands if each.process.poll() is not None]:
            self.hands.remove(hand)
            self.lost.append(hand.log)
            self.hire()

    def is_ready(self) -> bool:
        """Whether every worker was given a partition."""
        self.look()
        return all(hand.has_a_lane for hand in self.hands)

    def memory_mb(self) -> float:
        """Of all workers together."""
        return sum(resident_mb(hand.process.pid) for hand in self.hands)
