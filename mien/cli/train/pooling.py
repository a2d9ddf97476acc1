"""`mien train pooling`: which way of making one answer of a track's faces is nearest to the truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from mien.cli.train.options import CACHE, Cache, Data, console, one_line_errors

app = typer.Typer()


@app.command()
def pooling(
    data: Data,
    faces: Annotated[int, typer.Option(min=2, help="Clips of each kind.")] = 1500,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Measure ways of pooling a track's faces, on clips made of validation pictures."""
    with one_line_errors():
        from training.measure.pooling import measure
        from training.runs.folder import write_json

        with Progress(console=console, transient=True) as progress:
            figures = measure(data, cache, faces, lambda name, clips: progress.track(clips, description=name))
        if json_file:
            write_json(json_file, figures)
        for gait, heads in figures["gaits"].items():
            for head, compared in heads.items():
                console.print(_table(f"{gait}: {head}, {compared['visits']} visits", compared))


def _table(title: str, compared: Mapping[str, Any]) -> Table:
    table = Table("mean of", "weights", "right", "95 %", "p", "cross-entropy", "ECE", title=title)
    for way in compared["ways"]:
        right = way["right"]
        table.add_row(
            way["of"],
            way["weights"],
            f"{right['value']:.1%}",
            f"{right['low']:.1%} - {right['high']:.1%}",
            f"{way['against_mean']['p']:.4f}",
            f"{way['crossentropy']:.3f}",
            f"{way['ece']:.1%}",
        )
    return table
