"""`mien train explain`: what a face classifier looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from mien.cli.train.options import CACHE, Cache, Data, console, one_line_errors

app = typer.Typer()


@app.command()
def explain(
    model: Annotated[Path, typer.Argument(help="HDF5 file of a trained classifier.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Sheet to write, PNG or JPEG.", dir_okay=False)],
    head: Annotated[Literal["expression", "gender"] | None, typer.Option(help="One head alone.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Faces of each label that are right, and wrong.")] = 3,
    cache: Cache = CACHE,
) -> None:
    """Show where the answers come from that are most surely right or wrong: Grad-CAM of validation faces."""
    with one_line_errors():
        from training.measure.explain import explain as explained
        from training.pages.explain_sheet import check_sheet, draw_sheet

        check_sheet(out)
        faces = explained(model, data, cache, (head,) if head else (), count)
        draw_sheet(faces, f"Grad-CAM of {model.parent.name}/{model.name}", out)
        console.print(f"wrote {out}")
