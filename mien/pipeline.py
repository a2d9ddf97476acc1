"""The life of a running pipeline: captures, workers and upkeep, started and stopped together."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Protocol

from inference.worker import Worker

CAPTURES_STOP_S = 3.0
WORKERS_STOP_S = 1.5
UPKEEP_EVERY_S = 15 * 60.0
_TICK_S = 0.1

_log = logging.getLogger(__name__)


class Captures(Protocol):
    """What reads the cameras; `ingest.supervisor.Supervisor` is the one that ships."""

    ended: threading.Event
    """Set once no camera will deliver anything more."""

    def start(self) -> None:
        """Begin to capture."""

    def stop(self, timeout: float) -> None:
        """End every capture."""

    def failures(self) -> Mapping[str, str]:
        """Recordings that could not be read to their end, with the reason, by camera id."""


class Frames(Protocol):
    """The writer that captures publish to, as its owner sees it; see `bus.transport.FrameWriter`."""

    def take_drops(self, camera_id: str) -> Mapping[str, int]:
        """Frames of this camera dropped since the last call, by reason."""

    def close(self) -> None:
        """Say that nothing more will be published."""


class Ingestion:
    """Captures alone: their frames are analysed elsewhere.

    Args:
        captures: what reads the cameras.
        frames: the writer that they publish to; closing it may take seconds, and drop what cannot be sent.
        count: stores such drops, by camera id.
    """

    def __init__(
        self, captures: Captures, frames: Frames, count: Callable[[Callable[[str], Mapping[str, int]]], None]
    ) -> None:
        self._captures = captures
        self._frames = frames
        self._count = count

    def run(self, stop: threading.Event) -> Mapping[str, str]:
        """Run until `stop` is set or every recording has been read and its frames have arrived.

        Returns the recordings that could not be read, with the reason.
        """
        self._captures.start()
        try:
            while not (stop.is_set() or self._captures.ended.is_set()):
                stop.wait(_TICK_S)
        finally:
            self._captures.stop(CAPTURES_STOP_S)
            self._frames.close()
            self._count(self._frames.take_drops)
        return dict(self._captures.failures())


class Workforce:
    """Workers side by side, each in a thread."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._abort = threading.Event()
        self._pool = ThreadPoolExecutor(len(workers), thread_name_prefix="worker")
        self._running: list[Future[None]] = []

    def start(self) -> None:
        """Begin to work."""
        self._running = [self._pool.submit(worker.run, self._abort) for worker in self._workers]

    @property
    def leaving(self) -> bool:
        """Whether a worker has ended: the bus has, or something went wrong."""
        return any(future.done() for future in self._running)

    def drain(self, stop: threading.Event) -> None:
        """Let the workers come to the end of the bus, for a moment only once `stop` is set."""
        deadline = math.inf
        while time.monotonic() < deadline and wait(self._running, _TICK_S, FIRST_EXCEPTION).not_done:
            if stop.is_set() and deadline == math.inf:
                deadline = time.monotonic() + WORKERS_STOP_S
            if any(future.done() and future.exception() for future in self._running):
                return

    def stop(self) -> None:
        """End all workers; what they have begun is stored. Raises what ended one of them unexpectedly."""
        self._abort.set()
        self._pool.shutdown()
        for future in self._running:
            future.result()


class Pipeline:
    """Captures and workers in threads of this process.

    Args:
        captures: what reads the cameras.
        frames: the writer that they publish to; closed once they have stopped, so that workers drain.
        workforce: what analyses.
        upkeep: called at the start and every quarter of an hour; an outage there is logged, not raised.
        outages: what `upkeep` raises while the database is away.
    """

    def __init__(
        self,
        captures: Captures,
        frames: Frames,
        workforce: Workforce,
        upkeep: Callable[[], None],
        outages: tuple[type[Exception], ...],
    ) -> None:
        self._captures = captures
        self._frames = frames
        self._workforce = workforce
        self._upkeep = upkeep
        self._outages = outages

    def run(self, stop: threading.Event, tick: Callable[[], None] = lambda: None) -> Mapping[str, str]:
        """Run until `stop` is set or every recording has been read and stored.

        `tick` is called a few times a second. Returns the recordings that could not be read, with the
        reason. What ends a worker unexpectedly ends the run and is raised.
        """
        self._workforce.start()
        try:
            self._captures.start()
            try:
                self._watch(stop, tick)
            finally:
                self._captures.stop(CAPTURES_STOP_S)
                self._frames.close()
            self._workforce.drain(stop)
        finally:
            self._workforce.stop()
        return dict(self._captures.failures())

    def _watch(self, stop: threading.Event, tick: Callable[[], None]) -> None:
        upkeep_due = time.monotonic()
        while not (stop.is_set() or self._captures.ended.is_set() or self._workforce.leaving):
            if time.monotonic() >= upkeep_due:
                self._keep_up()
                upkeep_due = time.monotonic() + UPKEEP_EVERY_S
            tick()
            stop.wait(_TICK_S)

    def _keep_up(self) -> None:
        try:
            self._upkeep()
        except self._outages as error:
            _log.error("upkeep of the database failed, it is tried again later: %s", error)
