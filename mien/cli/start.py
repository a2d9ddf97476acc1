"""Entry point of the command `mien`: what has to hold before anything large is imported.

Only small modules are imported here: until `main` runs, Ctrl-C prints a traceback of Python's own.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code after Ctrl-C, as of a shell's command that SIGINT ended."""


def main() -> None:
    """Run the command that the arguments name; Ctrl-C ends it without a traceback at any time."""
    signal.signal(signal.SIGINT, interrupt)
    try:
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own end prints tracebacks, too.
    _leave(code)


def interrupt(_number: int, frame: FrameType | None) -> None:
    """End the process at once while a module is imported, else raise KeyboardInterrupt.

    An import that is interrupted may turn the exception into another one, or ignore it. Nothing is open then
    that would have to be closed.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """End the process with this exit code, also while threads that were abandoned run native code.

    Python ends such a thread by force when it unloads itself; within C++ that aborts the whole process.
    """
    threads = [each for each in threading.enumerate() if each is not threading.current_thread()]
    if not any(each.daemon for each in threads):
        sys.exit(code)
    for each in threads:
        if not each.daemon:
            each.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(code)


def _run() -> int:
    from common.core_dumps import forbid_core_dumps

    forbid_core_dumps()
    from mien.cli.app import run_command

    return run_command()
