"""Options and error handling of the commands of `mien train`."""

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
    """The option for the data folder, whose content `holds` describes."""
    return typer.Option(envvar="MIEN_DATA", help=f"Folder with {holds}.", file_okay=False)


Data = Annotated[Path, data_folder("the data sets: fer2013/ and fairface/")]
Task = Annotated[Literal["both", "emotion", "gender"] | None, typer.Option(help="Task of the network.")]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Time limit of the run, which ends fully annealed; 0: none.")
]
Seed = Annotated[int | None, typer.Option(help="Random seed.")]
Precision = Annotated[
    str | None, typer.Option(help="float32, or mixed_bfloat16 if the processor supports it.")
]
Threads = Annotated[int, typer.Option(min=0, help="Threads per operation; 0: one per core.")]
Resume = Annotated[bool, typer.Option(help="Resume the run in --out.")]
Cache = Annotated[Path, typer.Option(help="Cache of decoded data sets.", file_okay=False)]
CACHE = Path("runs/cache")


def given(**options: Any) -> dict[str, Any]:
    """The options with a value; the recipe decides the others."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Like `mien.cli.errors.one_line_errors`; a missing package names the extra `train`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with errors.one_line_errors():
        try:
            yield
        except ModuleNotFoundError as error:
            raise MissingExtra(f"{error.name} is not installed: `make install-train` in the clone") from error
