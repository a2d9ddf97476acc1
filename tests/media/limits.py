"""Limits on the memory and the processor time of this process."""

from __future__ import annotations

import resource
from pathlib import Path


def limit(megabytes: int, seconds: int) -> None:
    """Allow so much more memory and processor time than was used up to now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + megabytes * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
