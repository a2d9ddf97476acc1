"""`mien demo`: three simulated cameras and the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from mien.cli.options import Port

CAMERAS = {"entrance": "Entrance", "shelf": "Shelf", "till": "Till"}


def demo(
    port: Port = None,
    database: Annotated[
        str, typer.Option(metavar="URL", help="Database of the demo; it stays after the end.")
    ] = "sqlite:///mien-demo.db",
) -> None:
    """Simulate three cameras in a drawn shop and show the dashboard. Ctrl-C stops; the history stays.

    Each face is the mean of many faces, none is a real person. All other parts are those of `mien run`.
    """
    from mien import logs
    from mien.cli.run import create_dashboard, print_address
    from mien.cli.run_table import build_table
    from mien.loops.run import run_pipeline
    from mien.settings import load
    from mien.wiring.parts import RunOptions
    from storage.registry import CameraRow

    # The visitors are drawn, so small groups need no suppression.
    settings = load(database=database, dashboard_port=port, suppress_below=1)
    logs.configure("warning")
    console = Console()
    console.print("Starting three simulated cameras and the dashboard ...", highlight=False)
    cameras = [
        CameraRow(camera_id, f"demo://{camera_id}", name, site="Demo shop")
        for camera_id, name in CAMERAS.items()
    ]
    options = RunOptions(frozenset(CAMERAS))
    dashboard = create_dashboard(settings)
    result = run_pipeline(settings, cameras, options, dashboard=dashboard, announce=print_address)
    console.print(build_table(result))
