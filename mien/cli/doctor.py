"""`mien doctor`: what is missing on this machine, and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common.log_lines import one_line
from mien.cli.options import Config, Database, Port

if TYPE_CHECKING:
    from mien.checks import Check

MISSING = 1
"""Exit code: a requirement of Mien is missing."""

_MARKS = {"ok": "[green]ok[/]", "optional": "[yellow]optional[/]", "missing": "[red]missing[/]"}


def doctor(config: Config = None, database: Database = None, port: Port = None) -> None:
    """Check this machine: packages, models, database, port, cameras, disk. Changes nothing.

    Exit code 1: a requirement of Mien is missing.
    """
    from mien.checks import all_checks
    from mien.settings import load

    checks = all_checks(load(config, database=database, dashboard_port=port), Path.cwd())
    Console().print(_table(checks))
    if any(check.state == "missing" for check in checks):
        raise typer.Exit(MISSING)


def _table(checks: list[Check]) -> Table:
    table = Table("", "What", "Found", "How to get it")
    for check in checks:
        texts = (escape(one_line(text)) for text in (check.what, check.found, check.fix))
        table.add_row(_MARKS[check.state], *texts)
    return table
