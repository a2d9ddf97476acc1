"""The command `mien` and its subcommands."""

from __future__ import annotations

import sys

import typer

from mien.cli import cameras, db, topics
from mien.cli.analyze import analyze
from mien.cli.demo import demo
from mien.cli.doctor import doctor
from mien.cli.errors import one_line_errors
from mien.cli.ingest import ingest
from mien.cli.run import run
from mien.cli.show import dashboard
from mien.cli.train import app as train
from mien.cli.work import work

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
app.add_typer(cameras.app, name="cameras")
app.add_typer(topics.app, name="topics")
app.add_typer(db.app, name="db")
app.add_typer(train.app, name="train")
app.command()(doctor)


def main() -> None:
    """Run the command that the arguments name."""
    try:
        with one_line_errors():
            app()
    except typer.Exit as leaving:
        sys.exit(leaving.exit_code)
