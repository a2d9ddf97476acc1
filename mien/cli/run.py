"""`mien run`: cameras, workers and dashboard on this machine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

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
            help="Read recordings as fast as they are analysed, then end. Every frame is analysed, "
            "except of a camera with its own fps, or of --source with --fps.",
        ),
    ] = False,
    no_dashboard: NoDashboard = False,
    port: Port = None,
    show: Annotated[
        bool,
        typer.Option("--show", help="Show the live picture of the only camera in a window, faces blurred."),
    ] = False,
) -> None:
    """Capture cameras, find faces, store visits and show the dashboard. Ctrl-C stops.

    Exit code 1: a recording could not be read to its end, or results were not stored; 2: nothing was done.
    """
    from mien import logs
    from mien.cli.run_table import build_table
    from mien.cli.sources import choose_cameras
    from mien.loops.run import run_pipeline
    from mien.preview_window import require_display
    from mien.settings import load
    from mien.wiring.source_rules import camera_secrets

    settings = load(config, database=database, dashboard_port=port, fps=fps)
    logs.configure(settings.log_level, camera_secrets(settings))
    if show:
        require_display()
    cameras, options = choose_cameras(settings, source, fps, fast, loop)
    dashboard = None if no_dashboard or fast else create_dashboard(settings)
    result = run_pipeline(settings, cameras, options, dashboard=dashboard, announce=print_address, show=show)
    Console().print(build_table(result))
    if result.failures or result.results_lost:
        raise typer.Exit(UNREADABLE)


def create_dashboard(settings: Settings) -> Dashboard:
    """Create the dashboard's process without starting it; raises StartError where the settings forbid it."""
    from common.timezones import find_local_timezone
    from dashboard.launch import allowed_hosts, check, command
    from mien.dashboard_process import Dashboard
    from mien.errors import StartError

    if "timezone" not in settings.model_fields_set and (problem := find_local_timezone().problem):
        logging.getLogger(__name__).warning("%s; set MIEN_TIMEZONE, such as Europe/Berlin", problem)
    try:
        warnings = check(settings)
    except ValueError as error:
        raise StartError(str(error)) from error
    for warning in warnings:
        logging.getLogger(__name__).warning("%s", warning)
    arguments = command(
        settings.dashboard_port,
        settings.dashboard_address,
        settings.dashboard_base_path,
        allowed_hosts(settings),
    )
    return Dashboard(arguments, settings)


def print_address(url: str) -> None:
    """Print where the dashboard is shown."""
    shown = escape(url)  # An IPv6 address is in brackets.
    Console().print(f"Dashboard: [bold]{shown}[/]   (Ctrl-C stops)", highlight=False, soft_wrap=True)
