"""Prefetching of batches by several processes, for accelerators that one process cannot keep busy."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from itertools import cycle
from multiprocessing.queues import Queue
from queue import Empty
from types import TracebackType
from typing import Any, Self

from common.parent import end_with_parent
from training.errors import RunError

QUEUE_SIZE = 4
"""Finished batches that each process holds at most."""
CHECK_SECONDS = 5.0
"""Seconds without a batch before the process is checked for being alive."""


class Prefetcher:
    """An endless iterator over make(first), make(first + 1), ..., computed by `workers` processes in turn.

    The processes are forks, so that they share the pictures with the training process: enter the context
    before that process starts to compute, in a thread that lives as long as it (`common.parent`). The
    processes end with the context, and with the training process, whatever ends it.
    """

    def __init__(self, make: Callable[[int], Any], first: int, workers: int) -> None:
        forks = multiprocessing.get_context("fork")
        self._queues = [forks.Queue(QUEUE_SIZE) for _ in range(workers)]
        self._processes = [
            forks.Process(
                target=_produce, args=(make, first + turn, workers, queue, os.getpid()), daemon=True
            )
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
                return self._queues[turn].get(timeout=CHECK_SECONDS)
            except Empty as error:
                if not self._processes[turn].is_alive():
                    raise RunError("a batch process ended; see its error above") from error


def _produce(make: Callable[[int], Any], first: int, stride: int, queue: Queue[Any], parent: int) -> None:
    end_with_parent(parent)
    step = first
    while True:
        queue.put(make(step))
        step += stride
