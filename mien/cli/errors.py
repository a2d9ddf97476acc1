"""Errors that a user can correct: one line on standard error and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

USAGE = 2
"""Exit code: the command cannot be carried out as it was given."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error of Mien or of the operating system as one line without passwords, and exit with 2.

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
    from ingest.cameras import redact
    from ingest.errors import IngestError
    from media.errors import MediaError
    from storage.errors import StorageError
    from training.errors import TrainingError

    try:
        yield
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
        reason = f"{error.filename or 'system'}: {error.strerror or error}"
    else:
        return
    _print(redact(reason))
    raise typer.Exit(USAGE)


def _print(reason: str) -> None:
    console = Console(stderr=True)
    console.print("[red]error:[/]", end=" ")
    console.print(reason, markup=False, highlight=False, soft_wrap=True)
