"""Limits on the memory and the processor time of a process, and how tests start such a process."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path


def limit(megabytes: int, seconds: int) -> None:
    """Allow so much more memory and processor time than was used up to now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))


def run_python(arguments: list[str], folder: Path, timeout: float) -> str:
    """The output of a Python process that keeps its temporary files in `folder`; asserts that it succeeds."""
    finished = subprocess.run(
        [sys.executable, *arguments],
        # One memory arena and one BLAS thread, so that the process needs little memory of its own.
        env={**os.environ, "TMPDIR": str(folder), "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout
