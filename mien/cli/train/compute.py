"""`mien train compute`: gain from longer training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.train.options import console, one_line_errors

app = typer.Typer()


@app.command()
def compute(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of different length.", file_okay=False)],
    page: Annotated[Path, typer.Option(help="Page to update.", dir_okay=False)] = Path("docs/models.md"),
) -> None:
    """Compare runs of different length: table and chart of validation figures by passes.

    Runs of earlier comparisons are kept.
    """
    with one_line_errors():
        from training.measure.compute import FIGURES_PATH, merge_runs
        from training.pages.compute_page import draw
        from training.pages.report import write_report
        from training.runs.run_folder import write_json

        figures = merge_runs(runs)
        write_json(FIGURES_PATH, figures)
        draw(figures)
        write_report(page)
        console.print(f"wrote {FIGURES_PATH}, its chart and {page}: {len(figures)} runs", markup=False)
