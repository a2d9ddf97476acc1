"""`mien train compare`: the paper's systems, related ones and ours, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mien.cli.train.options import CACHE, Cache, console, data_folder, one_line_errors
from mien.errors import SettingsError

app = typer.Typer()


@app.command()
def compare(
    data: Annotated[Path | None, data_folder("the data sets: fer2013/ and fairface/")] = None,
    runs: Annotated[Path, typer.Option(help="Folder of all run folders.", file_okay=False)] = Path(
        "runs/comparison"
    ),
    only: Annotated[
        list[str] | None, typer.Option(help="Only this system; may be given several times.")
    ] = None,
    passes: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training faces, the same for all systems.")
    ] = None,
    from_runs: Annotated[
        bool, typer.Option("--from-runs", help="Train nothing: update the tables from existing figures.")
    ] = False,
    page: Annotated[Path, typer.Option(help="Page to update.", dir_okay=False)] = Path("docs/models.md"),
    cache: Cache = CACHE,
) -> None:
    """Train every system under one rule, measure it, and write tables and charts.

    Measured systems are skipped; interrupted runs resume.
    """
    with one_line_errors():
        from training.measure.comparison import FIGURES_PATH, merge_figures, train_and_measure
        from training.measure.systems import PASSES, chosen
        from training.pages.comparison_page import draw, draw_remedies
        from training.pages.report import write_report
        from training.runs.run_folder import write_json

        systems = chosen(only)
        if not from_runs:
            if data is None:
                raise SettingsError("--data is missing: the folder with fer2013/ and fairface/, or MIEN_DATA")
            train_and_measure(systems, runs, data, cache, passes or PASSES, console.print)
        figures = merge_figures(runs)
        write_json(FIGURES_PATH, figures)
        draw(figures)
        draw_remedies(figures)
        write_report(page)
        console.print(f"wrote {FIGURES_PATH}, its charts and {page}: {len(figures)} systems", markup=False)
