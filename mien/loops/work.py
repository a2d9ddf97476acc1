"""`mien work`: workers that read from Kafka, analyse and store, each in a thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from inference.worker import Worker
from mien.internal_server import Services, serve_internal
from mien.loops.process import open_process
from mien.settings import Settings
from mien.wiring import scaled

DRAIN_S = 1.5
"""How long workers may still drain the bus once the process is to stop."""
_TICK_S = 0.1


def run_workers(settings: Settings, count: int, drain: bool) -> None:
    """Run `count` workers until a signal arrives, or with `drain` until everything published is stored.

    Waits for a broker at its start. Raises the errors of the parts that cannot start, and the exception that
    ended a worker.
    """
    with open_process(settings) as (stop, metrics, engine):
        parts = scaled.wait_for_workers(settings, engine, count, drain, metrics, stop)
        if parts is None:
            return
        pool = WorkerPool(parts.workers)
        services = Services(captures=False, analyses=True, routes=parts.previews.routes)
        with serve_internal(settings, engine, services):
            try:
                pool.start()
                while not (stop.is_set() or pool.any_finished):
                    stop.wait(_TICK_S)
                pool.drain(stop)
            finally:
                pool.stop()


class WorkerPool:
    """Workers that run in parallel, each in a thread."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers
        self._abort = threading.Event()
        self._pool = ThreadPoolExecutor(len(workers), thread_name_prefix="worker")
        self._running: list[Future[None]] = []

    def start(self) -> None:
        """Start all workers."""
        for worker in self._workers:
            self._running.append(self._pool.submit(worker.run, self._abort))

    @property
    def any_finished(self) -> bool:
        """Whether a worker has finished: the bus has ended, or an exception was raised."""
        return any(future.done() for future in self._running)

    def drain(self, stop: threading.Event) -> None:
        """Wait until the workers reach the end of the bus, for at most `DRAIN_S` once `stop` is set."""
        deadline = math.inf
        while time.monotonic() < deadline and wait(self._running, _TICK_S, FIRST_EXCEPTION).not_done:
            if stop.is_set() and deadline == math.inf:
                deadline = time.monotonic() + DRAIN_S
            if any(future.done() and future.exception() for future in self._running):
                return

    def stop(self) -> None:
        """Stop all workers; frames that they have analysed are stored. Raises what ended one of them."""
        self._abort.set()
        self._pool.shutdown()
        for future in self._running:
            future.result()
