"""Processes that end with their parent, whatever ends it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
"""prctl(2), Linux."""
_CHECK_S = 0.5


def end_with_parent(parent: int) -> None:
    """End this process with SIGKILL as soon as its parent has ended, also where that was killed.

    On Linux the kernel does it. It counts the *thread* that started this process as the parent, so that
    thread has to live as long as its process. On every system a thread of this process watches as well.

    Args:
        parent: the process id of the parent, as the parent knows it: the parent may have ended already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _end_if_orphaned(parent)
    threading.Thread(target=_watch, args=(parent,), name="parent watch", daemon=True).start()


def _watch(parent: int) -> None:
    while True:
        time.sleep(_CHECK_S)
        _end_if_orphaned(parent)


def _end_if_orphaned(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
