"""The command `mien` and its subcommands."""

from __future__ import annotations

import sys

import typer
import typer.main

from mien.cli import alerts, cameras, db, privacy, topics, users
from mien.cli.analyze import analyze
from mien.cli.demo import demo
from mien.cli.doctor import doctor
from mien.cli.errors import one_line_errors
from mien.cli.export import export
from mien.cli.ingest import ingest
from mien.cli.notice import notice
from mien.cli.run import run
from mien.cli.sbom import sbom
from mien.cli.show import dashboard
from mien.cli.simulate import simulate
from mien.cli.train import app as train
from mien.cli.work import work
from mien.logs import print_uncaught

app = typer.Typer(
    help="Trends of visitors' estimated expression and perceived gender from shop cameras. No image is kept.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(run)
app.command()(analyze)
app.command()(ingest)
app.command()(work)
app.command()(dashboard)
app.command()(simulate)
app.command()(export)
app.add_typer(cameras.app, name="cameras")
app.add_typer(topics.app, name="topics")
app.add_typer(db.app, name="db")
app.add_typer(alerts.app, name="alerts")
app.add_typer(users.app, name="users")
app.add_typer(train.app, name="train")
app.add_typer(privacy.app, name="privacy")
app.command()(notice)
app.command()(doctor)
app.command()(sbom)


def run_command() -> int:
    """Run the command that the arguments name; returns its exit code."""
    sys.excepthook = print_uncaught
    try:
        with one_line_errors():
            return _call_typer()
    except typer.Exit as leaving:
        return leaving.exit_code


def _call_typer() -> int:
    try:
        # Not `app()`, which would replace `sys.excepthook`.
        typer.main.get_command(app)()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0
