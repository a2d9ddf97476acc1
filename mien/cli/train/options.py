"""What the commands of `mien train` share: options, and errors as one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from mien.cli import errors
from mien.errors import MissingExtra

console = Console()


def data_folder(holds: str) -> Any:
    """The option that names the folder with data, which `holds` describes."""
    return typer.Option(envvar="MIEN_DATA", help=f"Folder with {holds}.", file_okay=False)


Data = Annotated[Path, data_folder("the data sets: fer2013/ and fairface/")]
Task = Annotated[
    Literal["both", "emotion", "gender"] | None, typer.Option(help="What one network is to learn.")
]
Minutes = Annotated[float | None, typer.Option(min=0, help="Time in which it ends, fully annealed.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Precision = Annotated[str | None, typer.Option(help="float32, or mixed_bfloat16 where the processor has it.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads per operation; 0: all.")]
Resume = Annotated[bool, typer.Option(help="Go on with the run in --out.")]
Cache = Annotated[Path, typer.Option(help="Where decoded data sets are kept.", file_okay=False)]
CACHE = Path("runs/cache")


def given(**options: Any) -> dict[str, Any]:
    """The options that were given a value: those without one are left to the recipe."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """As `mien.cli.errors.one_line_errors`; what the extra `train` would bring is asked for by name."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with errors.one_line_errors():
        try:
            yield
        except ModuleNotFoundError as error:
            raise MissingExtra(f"{error.name} is not installed; pip install 'mien[train]'") from error
