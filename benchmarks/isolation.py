"""Measurements in a separate process, bound to a number of cores."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from common.parent import end_with_parent

P = ParamSpec("P")
T = TypeVar("T")


def run_on_cores(cores: int, measure: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `measure(...)` in a new process that is bound to the first `cores` cores.

    Raises ValueError if the machine has fewer cores, and whatever `measure` raises.
    """
    available = sorted(os.sched_getaffinity(0))
    if cores > len(available):
        raise ValueError(f"{cores} cores: this machine has {len(available)}")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _prepare, (available[:cores], os.getpid())) as pool:
        return pool.submit(measure, *args, **kwargs).result()


def _prepare(cores: list[int], parent: int) -> None:
    end_with_parent(parent)
    os.sched_setaffinity(0, cores)
    logging.basicConfig(level=logging.ERROR)
