"""`mien privacy`: whether pictures or vectors are where none should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mien.cli.options import Config, Database

app = typer.Typer(help="Check that no picture is stored anywhere.", no_args_is_help=True)


@app.callback()
def privacy() -> None:
    """Check that no picture is stored anywhere."""


@app.command()
def check(
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Read everything. Without it the newest part of large tables, topics and files."
        ),
    ] = False,
    log: Annotated[
        list[Path] | None,
        typer.Option(
            "--log", metavar="PATH", help="A log file, or a folder of log files; repeat it for several."
        ),
    ] = None,
    config: Config = None,
    database: Database = None,
) -> None:
    """Look for pictures and vectors in database, dead-letter queue, logs and temporary files.

    Exit code 0: nothing was found. 1: something was found. 2: nothing was found, but a place could not be
    looked at, or the command cannot be carried out. What was looked at is printed, contents never are.
    """
    from common.log_lines import one_line
    from mien import logs
    from mien.privacy_check import Outcome, check_privacy, exit_code
    from mien.settings import load

    settings = load(config, database=database)
    logs.configure(settings.log_level)
    marks = {
        Outcome.CLEAN: "[green]ok[/]     ",
        Outcome.FOUND: "[red]found[/]  ",
        Outcome.ALLOWED: "[yellow]allowed[/]",
        Outcome.UNREAD: "[red]unread[/] ",
        Outcome.NOTE: "note   ",
    }
    console = Console()
    looks = []
    for look in check_privacy(settings, log or [], everything=everything):
        looks.append(look)
        console.print(marks[look.outcome], end="  ", highlight=False)
        console.print(
            one_line(f"{look.place}: {look.details}"), markup=False, highlight=False, soft_wrap=True
        )
    raise typer.Exit(exit_code(looks))
