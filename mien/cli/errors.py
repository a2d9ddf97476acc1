"""What a user can mend becomes one line and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

USAGE = 2
"""Exit code: the command cannot be carried out as it was given."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error that is meant for the user to standard error, passwords hidden, and exit with 2."""
    from bus.errors import BusError
    from inference.errors import InferenceError
    from ingest.errors import IngestError
    from mien.errors import MienError
    from storage.errors import StorageError
    from training.errors import TrainingError

    try:
        yield
    except (MienError, BusError, IngestError, InferenceError, StorageError, TrainingError) as error:
        reason = str(error)
    except OSError as error:
        reason = f"{error.filename or 'system'}: {error.strerror or error}"
    else:
        return
    from ingest.cameras import redact

    console = Console(stderr=True)
    console.print("[red]error:[/]", end=" ")
    console.print(redact(reason), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(USAGE)
