"""`mien train data check|fetch|prepare`: the face data sets, before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from mien.cli.errors import USAGE
from mien.cli.train.options import CACHE, Cache, console, data_folder, one_line_errors

if TYPE_CHECKING:
    from training.data.inventory import ClassTable, Inventory
    from training.data.sources import Download, Published

app = typer.Typer(help="Check, fetch and prepare the face data sets.", no_args_is_help=True)

Data = Annotated[Path, data_folder("the data sets: fer2013/, fairface/, utkface/, ck+48/")]

_WORDS = TextColumn("{task.description}")


@app.command()
def check(
    data: Data,
    samples: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw samples of each class.", dir_okay=False)
    ] = None,
) -> None:
    """Read every row and picture; show classes, splits and pictures that occur twice."""
    with one_line_errors():
        from training.data.collection import LOOKS, present

        names, found = present(data), []
        for name in names:
            with _counting(f"reading {name}") as tick:
                inventory = LOOKS[name](data, tick)
            _show(inventory)
            found.append(inventory)
        for name in (name for name in LOOKS if name not in names):
            _say(f"{name} is not there; `mien train data fetch {name}` says how to get it")
        if samples:
            from training.pages.sample_sheet import draw_samples

            _say(f"wrote {draw_samples(found, samples)}")


@app.command()
def fetch(
    data: Data,
    name: Annotated[str | None, typer.Argument(help="Data set; all without it.")] = None,
) -> None:
    """Download what licence and link allow, and say how to get the rest by hand."""
    with one_line_errors():
        from mien.errors import SettingsError
        from training.data.sources import SETS

        if name is not None and name not in SETS:
            raise SettingsError(f"data set {name!r} is unknown; known: {', '.join(SETS)}")
        chosen = [SETS[name]] if name else list(SETS.values())
        # What is to be done by hand is said even where a download fails.
        there = [_is_there(source, data) for source in chosen if source.download is None]
        for source in chosen:
            if source.download is not None:
                _download(source, source.download, data)
    if name and not all(there):
        raise typer.Exit(USAGE)


@app.command()
def prepare(data: Data, cache: Cache = CACHE) -> None:
    """Decode every data set that is there into the cache, so that training starts in seconds."""
    with one_line_errors():
        from training.data.collection import LOADS, present

        for name in present(data):
            started = time.monotonic()
            with _counting(f"preparing {name}") as tick:
                LOADS[name](data, cache, tick)
            _say(f"{name} is ready in {cache} ({time.monotonic() - started:.1f} s)")


def _is_there(source: Published, data: Path) -> bool:
    """Say of a data set where it is, or how to get it by hand."""
    from training.data.importers.places import new_folder

    folder = new_folder(data, source.folder)
    if any(any(folder.glob(sign)) for sign in source.signs):
        _say(f"{source.title}: is in {folder}; `mien train data check` reads it")
        return True
    _say(f"{source.title} ({source.licence}):", source.by_hand.format(folder=folder))
    return False


def _download(source: Published, file: Download, data: Path) -> None:
    from training.data.fetching import download
    from training.data.importers.places import new_folder

    target = new_folder(data, source.folder) / file.name
    with _bytes_of(target.name, file.size) as report:
        new = download(file, target, report)
    _say(f"{source.title} ({source.licence}): {target} {'fetched' if new else 'is there already'}")


def _say(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _show(inventory: Inventory) -> None:
    for table in inventory.tables:
        # A title of the table's own would be broken to its width.
        console.print(f"[bold]{table.title}[/]", _class_table(table), sep="\n", soft_wrap=True)
    _say(*(f"  {note}" for note in inventory.notes))


def _class_table(found: ClassTable) -> Table:
    table = Table("class")
    for split in found.splits:
        table.add_column(split, justify="right")
    for name, counts in zip(found.classes, found.counts.T.tolist(), strict=True):
        table.add_row(escape(name), *(f"{count:,}" for count in counts))
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in found.counts.sum(axis=1).tolist()))
    return table


@contextmanager
def _counting(words: str) -> Iterator[Callable[[], None]]:
    """A line that counts the rows and pictures that were read."""
    count = TextColumn("{task.completed:,.0f}")
    with _progress(SpinnerColumn(), _WORDS, count, TimeElapsedColumn()) as lines:
        task = lines.add_task(words, total=None)
        yield lambda: lines.advance(task)


@contextmanager
def _bytes_of(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of a download."""
    with _progress(_WORDS, BarColumn(), DownloadColumn(), TransferSpeedColumn()) as lines:
        task = lines.add_task(name, total=size)
        yield lambda there: lines.update(task, completed=there)


def _progress(*columns: ProgressColumn) -> Progress:
    # Where it is not shown it would leave an empty line.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
