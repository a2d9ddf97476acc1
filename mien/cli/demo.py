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
        str, typer.Option(metavar="URL", help="Where the demo keeps its history.")
    ] = "sqlite:///mien-demo.db",
) -> None:
    """Three simulated cameras in a drawn shop, and the dashboard. Ctrl-C stops; the history stays.

    The people are composites of many faces, none is a real person; everything behind the cameras is
    what also watches real ones.
    """
    from mien import logs, session, wiring
    from mien.cli.run import announce, page
    from mien.cli.summary import totals
    from mien.settings import load
    from storage.registry import CameraRow

    # Nobody's privacy is at stake here: small groups are shown from the first visit on.
    settings = load(database=database, dashboard_port=port, suppress_below=1)
    logs.configure("warning")
    console = Console()
    console.print("Starting three simulated cameras and the dashboard ...", highlight=False)
    cameras = [
        CameraRow(camera_id, f"demo://{camera_id}", name, site="Demo shop")
        for camera_id, name in CAMERAS.items()
    ]
    tally, _ = session.run(
        settings,
        cameras,
        wiring.Watch(frozenset(CAMERAS)),
        dashboard=page(settings),
        announce=lambda url: announce(console, url),
    )
    console.print(totals(tally.cameras(), {}))
