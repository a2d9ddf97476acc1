"""`mien train explain`: Grad-CAM heat maps of a face classifier."""

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
    out: Annotated[Path, typer.Option(help="PNG or JPEG file to write.", dir_okay=False)],
    head: Annotated[Literal["expression", "gender"] | None, typer.Option(help="Only this head.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Right and wrong answers per label.")] = 3,
    cache: Cache = CACHE,
) -> None:
    """Draw Grad-CAM heat maps of the most confident right and wrong answers on validation faces."""
    with one_line_errors():
        from training.measure.explain import explain as explained
        from training.pages.explain_sheet import check_sheet, draw_sheet

        check_sheet(out)
        faces = explained(model, data, cache, (head,) if head else (), count)
        draw_sheet(faces, f"Grad-CAM of {model.parent.name}/{model.name}", out)
        console.print(f"wrote {out}", markup=False)
