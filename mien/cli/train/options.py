"""What the commands of `mien train` share: options, and errors as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mien.cli import errors
from mien.errors import MissingExtra

console = Console()

Data = Annotated[
    Path,
    typer.Option(
        envvar="MIEN_DATA", help="Folder with the data sets: fer2013/ and fairface/.", file_okay=False
    ),
]
Cache = Annotated[Path, typer.Option(help="Where decoded data sets are kept.", file_okay=False)]
CACHE = Path("runs/cache")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """As `mien.cli.errors.one_line_errors`; what the extra `train` would bring is asked for by name."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with errors.one_line_errors():
        try:
            yield
        except ModuleNotFoundError as error:
            raise MissingExtra(f"{error.name} is not installed; pip install 'mien[train]'") from error
