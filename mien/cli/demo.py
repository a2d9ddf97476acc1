"""`mien demo`: three simulated cameras and the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mien.cli.options import Port

if TYPE_CHECKING:
    from mien.settings import Settings

CAMERAS = {"entrance": "Entrance", "shelf": "Shelf", "till": "Till"}
SITE = "Demo shop"
HISTORY_DAYS = 91
WHAT_YOU_SEE = (
    "What you see: 13 weeks of simulated visits, and from now on three simulated cameras. "
    "The page Live shows what they see and whom they count."
)


def demo(
    port: Port = None,
    database: Annotated[
        str, typer.Option(metavar="URL", help="Database of the demo; it stays after the end.")
    ] = "sqlite:///mien-demo.db",
) -> None:
    """Simulate three cameras in a drawn shop and show the dashboard. Ctrl-C stops; the history stays.

    Each face is the mean of many faces, none is a real person. All other parts are those of `mien run`. A new
    database starts with a simulated history of 13 weeks.
    """
    from mien import logs
    from mien.cli.run import create_dashboard, print_address
    from mien.cli.run_table import build_table
    from mien.loops.run import run_pipeline
    from mien.settings import load
    from mien.wiring.run_options import RunOptions
    from storage.registry import CameraRow

    # The visitors are drawn, so small groups need no suppression.
    settings = load(database=database, dashboard_port=port, suppress_below=1)
    logs.configure("warning")
    console = Console()
    _seed(settings, console)
    console.print("Starting three simulated cameras and the dashboard ...", highlight=False)
    cameras = [
        CameraRow(camera_id, f"demo://{camera_id}", name, site=SITE) for camera_id, name in CAMERAS.items()
    ]
    options = RunOptions(frozenset(CAMERAS))
    dashboard = create_dashboard(settings)
    console.print(WHAT_YOU_SEE, highlight=False, soft_wrap=True)
    result = run_pipeline(settings, cameras, options, dashboard=dashboard, announce=print_address)
    console.print(build_table(result))


def _seed(settings: Settings, console: Console) -> None:
    """Store a simulated history of the demo's cameras where the database has no visits yet."""
    from common.clock import wall_clock_us
    from common.timezones import open_timezone
    from mien.wiring.registry import open_settings_database
    from storage.local_time import date_of
    from storage.registry import CameraRegistry
    from storage.simulation.load import has_real_visits, has_simulated_visits, load_history
    from storage.simulation.scenario import create_demo_scenario

    engine = open_settings_database(settings)
    try:
        known = {camera.id for camera in CameraRegistry(engine).cameras()}
        if has_real_visits(engine) or has_simulated_visits(engine) or known & set(CAMERAS):
            return
        console.print("Simulating a history of 13 weeks ...", highlight=False)
        now = wall_clock_us()
        today = date_of(now, open_timezone(settings.timezone))
        scenario = create_demo_scenario(list(CAMERAS.items()), SITE, HISTORY_DAYS, today)
        load_history(engine, scenario, settings.timezone, now)
    finally:
        engine.dispose()
