"""`mien train data check|fetch|prepare`: the face data sets, before training."""

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

_DESCRIPTION = TextColumn("{task.description}")


@app.command()
def check(
    data: Data,
    samples: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw samples of each class.", dir_okay=False)
    ] = None,
) -> None:
    """Read every row and picture; show classes, splits and duplicates."""
    with one_line_errors():
        from training.data.collection import INVENTORIES, find_present

        names, found = find_present(data), []
        for name in names:
            with _counting(f"reading {name}") as tick:
                inventory = INVENTORIES[name](data, tick)
            _show(inventory)
            found.append(inventory)
        for name in (name for name in INVENTORIES if name not in names):
            _print(f"{name} is missing; `mien train data fetch {name}` explains how to get it")
        if samples:
            from training.pages.sample_sheet import draw_samples

            _print(f"wrote {draw_samples(found, samples)}")


@app.command()
def fetch(
    data: Data,
    name: Annotated[str | None, typer.Argument(help="Data set; default: all.")] = None,
) -> None:
    """Download what licence and link allow, and explain how to get the rest by hand."""
    with one_line_errors():
        from mien.errors import SettingsError
        from training.data.sources import SETS

        if name is not None and name not in SETS:
            raise SettingsError(f"data set {name!r} is unknown; known: {', '.join(SETS)}")
        chosen = [SETS[name]] if name else list(SETS.values())
        # Instructions are shown even if a download fails.
        present = [_show_instructions(source, data) for source in chosen if source.download is None]
        for source in chosen:
            if source.download is not None:
                _download(source, source.download, data)
    if name and not all(present):
        raise typer.Exit(USAGE)


@app.command()
def prepare(data: Data, cache: Cache = CACHE) -> None:
    """Decode every present data set into the cache, so that training starts in seconds."""
    with one_line_errors():
        from training.data.collection import LOADERS, find_present

        for name in find_present(data):
            started = time.monotonic()
            with _counting(f"preparing {name}") as tick:
                LOADERS[name](data, cache, tick)
            _print(f"{name} is ready in {cache} ({time.monotonic() - started:.1f} s)")


def _show_instructions(source: Published, data: Path) -> bool:
    """Show where a data set is, or how to get it by hand; returns whether it is present."""
    from training.data.importers.paths import target_folder

    folder = target_folder(data, source.folder)
    if any(any(folder.glob(sign)) for sign in source.signs):
        _print(f"{source.title}: is in {folder}; `mien train data check` reads it")
        return True
    _print(f"{source.title} ({source.licence}):", source.by_hand.format(folder=folder))
    return False


def _download(source: Published, file: Download, data: Path) -> None:
    from training.data.fetching import download
    from training.data.importers.paths import target_folder

    target = target_folder(data, source.folder) / file.name
    with _bytes_of(target.name, file.size) as report:
        new = download(file, target, report)
    _print(f"{source.title} ({source.licence}): {target} {'fetched' if new else 'exists already'}")


def _print(*lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _show(inventory: Inventory) -> None:
    for table in inventory.tables:
        # rich would wrap a title to the table's width.
        console.print(f"[bold]{table.title}[/]", _class_table(table), sep="\n", soft_wrap=True)
    _print(*(f"  {note}" for note in inventory.notes))


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
def _counting(description: str) -> Iterator[Callable[[], None]]:
    """A line that counts the rows and pictures read."""
    count = TextColumn("{task.completed:,.0f}")
    with _progress(SpinnerColumn(), _DESCRIPTION, count, TimeElapsedColumn()) as lines:
        task = lines.add_task(description, total=None)
        yield lambda: lines.advance(task)


@contextmanager
def _bytes_of(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of a download."""
    with _progress(_DESCRIPTION, BarColumn(), DownloadColumn(), TransferSpeedColumn()) as lines:
        task = lines.add_task(name, total=size)
        yield lambda size: lines.update(task, completed=size)


def _progress(*columns: ProgressColumn) -> Progress:
    # Without a terminal it would leave an empty line.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
