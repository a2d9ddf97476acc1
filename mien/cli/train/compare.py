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
    only: Annotated[list[str] | None, typer.Option(help="This system; several times for several.")] = None,
    passes: Annotated[
        int | None, typer.Option(min=1, help="Passes over the training faces; the same for all.")
    ] = None,
    from_runs: Annotated[
        bool, typer.Option("--from-runs", help="Train nothing: the table from what was measured.")
    ] = False,
    page: Annotated[Path, typer.Option(help="Page to bring up to date.", dir_okay=False)] = Path(
        "docs/models.md"
    ),
    cache: Cache = CACHE,
) -> None:
    """Train every system under one rule, measure it, and write table and charts.

    What is measured already is left alone, and what was cut off goes on.
    """
    with one_line_errors():
        from training.measure.comparison import KEPT, gathered
        from training.measure.comparison import compare as run_all
        from training.measure.systems import PASSES, chosen
        from training.pages.comparison import draw, draw_remedies
        from training.pages.report import write_report
        from training.runs.folder import write_json

        systems = chosen(only)
        if not from_runs:
            if data is None:
                raise SettingsError("--data is missing: the folder with fer2013/ and fairface/, or MIEN_DATA")
            run_all(systems, runs, data, cache, passes or PASSES, console.print)
        figures = gathered(runs)
        write_json(KEPT, figures)
        draw(figures)
        draw_remedies(figures)
        write_report(page)
        console.print(f"wrote {KEPT}, its charts and {page}: {len(figures)} systems")
