"""`mien run`: cameras to rows, and the dashboard, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mien.cli.options import Config, Database, Fps, Loop, NoDashboard, Port, Sources

if TYPE_CHECKING:
    from mien.dashboard_process import Dashboard
    from mien.settings import Settings

UNREADABLE = 1
"""Exit code: a recording could not be read to its end; everything else was done."""


def run(
    source: Sources = None,
    config: Config = None,
    database: Database = None,
    fps: Fps = None,
    loop: Loop = False,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help="Read recordings as quickly as they are analysed, every picture unless --fps is given, "
            "then end.",
        ),
    ] = False,
    no_dashboard: NoDashboard = False,
    port: Port = None,
) -> None:
    """Watch cameras: find faces, store visits, show them on the dashboard. Ctrl-C stops.

    Exit code 1: a recording could not be read to its end; 2: nothing was done.
    """
    from mien import logs, session
    from mien.cli.summary import totals
    from mien.cli.watched import watched
    from mien.settings import load

    settings = load(config, database=database, dashboard_port=port, fps=fps)
    logs.configure(settings.log_level)
    console = Console()
    cameras, watch = watched(settings, source, fps, fast, loop)
    tally, failures = session.run(
        settings,
        cameras,
        watch,
        dashboard=None if no_dashboard or fast else page(settings),
        announce=lambda url: announce(console, url),
    )
    console.print(totals(tally.cameras(), failures))
    if failures:
        raise typer.Exit(UNREADABLE)


def page(settings: Settings) -> Dashboard:
    """The dashboard's process, not started yet; raises StartError for an address it may not have."""
    from dashboard.launch import command
    from mien.dashboard_process import Dashboard
    from mien.errors import StartError

    try:
        serve = command(
            settings.dashboard_port, settings.dashboard_address, settings.dashboard_trusted_network
        )
        return Dashboard(serve, settings)
    except ValueError as error:
        raise StartError(str(error)) from error


def announce(console: Console, url: str | None) -> None:
    """Say that everything runs, and where it is seen."""
    if url:
        console.print(f"Dashboard: [bold]{url}[/]   (Ctrl-C stops)", highlight=False, soft_wrap=True)
