"""Batches that several processes make ahead of time, where one could not keep an accelerator busy."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from itertools import cycle
from multiprocessing.queues import Queue
from queue import Empty
from types import TracebackType
from typing import Any, Self

from training.errors import RunError

DEPTH = 4
"""Batches that each process keeps ready."""
PATIENCE = 5.0
"""Seconds without a batch after which it is asked whether its process is still there."""


class Ahead:
    """An endless iterator over make(first), make(first + 1), ..., each from one of `workers` processes.

    The processes are forks, so that they share the pictures with the one that trains: to be entered before
    that one starts to compute. They end with the context.
    """

    def __init__(self, make: Callable[[int], Any], first: int, workers: int) -> None:
        forks = multiprocessing.get_context("fork")
        self._queues = [forks.Queue(DEPTH) for _ in range(workers)]
        self._processes = [
            forks.Process(target=_produce, args=(make, first + turn, workers, queue), daemon=True)
            for turn, queue in enumerate(self._queues)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def __iter__(self) -> Iterator[Any]:
        for turn in cycle(range(len(self._queues))):
            yield self._next(turn)

    def _next(self, turn: int) -> Any:
        while True:
            try:
                return self._queues[turn].get(timeout=PATIENCE)
            except Empty as silence:
                if not self._processes[turn].is_alive():
                    raise RunError("a process that makes batches has ended; its error is above") from silence


def _produce(make: Callable[[int], Any], first: int, stride: int, queue: Queue[Any]) -> None:
    step = first
    while True:
        queue.put(make(step))
        step += stride
