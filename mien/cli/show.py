"""`mien dashboard`: the dashboard alone."""

from __future__ import annotations

from mien.cli.options import Config, Database, Port


def dashboard(config: Config = None, database: Database = None, port: Port = None) -> None:
    """Show the dashboard of a database (MIEN_DATABASE) that other processes fill. Ctrl-C stops."""
    from mien import logs
    from mien.cli.run import create_dashboard, print_address
    from mien.dashboard_process import show_until_stopped
    from mien.settings import load
    from mien.signals import stop_on_signal

    settings = load(config, database=database, dashboard_port=port)
    logs.configure(settings.log_level)
    with stop_on_signal() as stop, create_dashboard(settings) as process:
        show_until_stopped(process, stop, print_address)
