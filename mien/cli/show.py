"""`mien dashboard`: the dashboard alone."""

from __future__ import annotations

from rich.console import Console

from mien.cli.options import Config, Database, Port


def dashboard(config: Config = None, database: Database = None, port: Port = None) -> None:
    """Show the dashboard of a database (MIEN_DATABASE) that others fill. Ctrl-C stops."""
    from mien.cli.run import announce, page
    from mien.errors import StartError
    from mien.settings import load
    from mien.signals import stopping

    settings = load(config, database=database, dashboard_port=port)
    with stopping() as stop, page(settings) as shown:
        shown.wait_until_ready(stop)
        announce(Console(), shown.url)
        while not stop.wait(0.5):
            if shown.ended:
                raise StartError("dashboard: ended by itself; its own words stand above")
