"""No core dumps: they would write the pictures in the memory of a process to a disk."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4
"""prctl(2), Linux."""


def forbid_core_dumps() -> None:
    """Forbid core dumps of this process, and of the processes that it starts as far as they inherit it.

    The limit of zero bytes is inherited. It does not bind a program that the kernel pipes core dumps to
    (core(5)); on Linux a process that is not dumpable is not handed to such a program either. A new program
    is dumpable again, so each process calls this function. Other processes of the same user cannot attach to
    a process that is not dumpable.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
