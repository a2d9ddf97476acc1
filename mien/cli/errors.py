"""Errors that a user can correct: one line on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

USAGE = 2
"""Exit code: the command cannot be carried out as it was given."""
SHORTAGE = 3
"""Exit code: the machine lacks memory, threads, open files or space on a disk, or a disk is read-only."""

_THREADS = "can't start new thread"
"""The text of the RuntimeError of `threading`; there is no class of its own."""
_ALLOCATION = ("bad_alloc", "Insufficient memory", "Failed to allocate memory")
"""In the texts of OpenCV and ONNX Runtime, which raise classes of their own for a lack of memory."""
_SHORTAGES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files",
    errno.ENOMEM: "use a machine with more memory, or fewer cameras and workers",
    errno.EAGAIN: "raise the limits of processes and memory",
}
"""What to do about an error of the operating system that is a shortage."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error of Mien or of the machine as one line without passwords, and exit with its code.

    Any other exception is a bug and keeps its traceback.
    """
    from mien.errors import MienError
    from mien.installation import check_installation

    try:
        check_installation()
    except MienError as error:
        _print(str(error))
        raise typer.Exit(USAGE) from None
    from bus.errors import BusError
    from inference.errors import InferenceError
    from ingest.errors import IngestError
    from media.errors import MediaError
    from storage.errors import StorageError
    from training.errors import TrainingError

    code = USAGE
    try:
        yield
        sys.stdout.flush()
    except (
        MienError,
        BusError,
        IngestError,
        InferenceError,
        MediaError,
        StorageError,
        TrainingError,
    ) as error:
        reason = str(error)
    except OSError as error:
        reason, code = describe_system_error(error)
    except Exception as error:
        shortage = describe_shortage(error)
        if shortage is None:
            raise
        reason, code = shortage, SHORTAGE
    else:
        return
    _print(reason)
    _discard_output()
    raise typer.Exit(code)


def describe_system_error(error: OSError) -> tuple[str, int]:
    """An error of the operating system in one line, with what to do where it is a shortage; its exit code."""
    reason = f"{error.filename or 'system'}: {error.strerror or error}"
    fix = _SHORTAGES.get(error.errno or 0)
    return (reason, USAGE) if fix is None else (f"{reason}: {fix}", SHORTAGE)


def describe_shortage(error: BaseException) -> str | None:
    """A lack of memory or threads in one line, with what to do; None for any other error."""
    if isinstance(error, RuntimeError) and _THREADS in str(error):
        return "no further thread can be started: raise the limits of processes and memory (ulimit -u, -v)"
    if isinstance(error, MemoryError) or any(text in str(error) for text in _ALLOCATION):
        return "out of memory: use a machine with more memory, smaller files, or fewer cameras and workers"
    return None


def _print(reason: str) -> None:
    from mien.logs import clean

    typer.echo(f"{typer.style('error:', fg='red')} {clean(reason)}", err=True)


def _discard_output() -> None:
    """Drop what cannot be written to standard output: the end of the process would try it again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
