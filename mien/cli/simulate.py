"""`mien simulate`: a simulated history in a database."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from mien.cli.options import Config, Database

MOST_DAYS = 400
MOST_CAMERAS = 200


def simulate(
    days: Annotated[
        int, typer.Option(min=1, max=MOST_DAYS, help="Number of days, the current one included.")
    ] = 91,
    cameras: Annotated[int, typer.Option(min=1, max=MOST_CAMERAS, help="Number of cameras.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same history.")] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Also into a database that has visits of real cameras.")
    ] = False,
    config: Config = None,
    database: Database = None,
) -> None:
    """Store a simulated history: weekly rhythm, opening hours, trends, outages, a campaign of known effect.

    It is labelled as simulated wherever it is shown. Then `mien dashboard` shows it.
    """
    from common.clock import wall_clock_us
    from common.timezones import open_timezone
    from mien.errors import SettingsError
    from mien.settings import load
    from mien.wiring.registry import open_settings_database
    from storage.engine import redact_url
    from storage.local_time import date_of
    from storage.simulation.load import has_real_visits, load_history
    from storage.simulation.scenario import create_scenario

    settings = load(config, database=database)
    engine = open_settings_database(settings)
    try:
        if not force and has_real_visits(engine):
            raise SettingsError(
                "--database: has visits of real cameras, which a simulated history would be mixed with; name "
                "another database or add --force"
            )
        now = wall_clock_us()
        scenario = create_scenario(days, cameras, seed, date_of(now, open_timezone(settings.timezone)))
        console = Console()
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task(f"{days} days of {cameras} cameras", total=2 * days)
            visits = load_history(
                engine,
                scenario,
                settings.timezone,
                now,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        console.print(
            f"Stored {visits:,} simulated visits of {cameras} cameras from {scenario.first} to "
            f"{scenario.last}. Show them: mien dashboard --database {redact_url(settings.database)}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    finally:
        engine.dispose()
