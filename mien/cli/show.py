"""`mien dashboard`: the dashboard alone."""

from __future__ import annotations

from mien.cli.options import Config, Database, Port


def dashboard(config: Config = None, database: Database = None, port: Port = None) -> None:
    """Show the dashboard of a database (MIEN_DATABASE) that other processes fill. Ctrl-C stops."""
    from mien.cli.run import create_dashboard, print_address
    from mien.errors import StartError
    from mien.settings import load
    from mien.signals import stop_on_signal

    settings = load(config, database=database, dashboard_port=port)
    with stop_on_signal() as stop, create_dashboard(settings) as process:
        process.wait_until_ready(stop)
        print_address(process.url)
        while not stop.wait(0.5):
            if process.ended:
                raise StartError("dashboard: ended by itself; see its output above")
