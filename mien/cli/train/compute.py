"""`mien train compute`: what a network gains from more training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.train.options import console, one_line_errors

app = typer.Typer()


@app.command()
def compute(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of different length.", file_okay=False)],
    page: Annotated[Path, typer.Option(help="Page to bring up to date.", dir_okay=False)] = Path(
        "docs/models.md"
    ),
) -> None:
    """Compare where runs of different length end: table and chart of validation figures by passes.

    Runs that were compared before stay.
    """
    with one_line_errors():
        from training.measure.compute import KEPT, draw, gathered
        from training.pages.report import write_report
        from training.runs.folder import write_json

        ran = gathered(runs)
        write_json(KEPT, ran)
        draw(ran)
        write_report(page)
        console.print(f"wrote {KEPT}, its chart and {page}: {len(ran)} runs")
