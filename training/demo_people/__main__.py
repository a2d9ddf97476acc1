"""`python -m training.demo_people`: makes the demo's sprite sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from inference.classifier import Classifier
from inference.detector import Detector
from inference.errors import InferenceError
from training.demo_people.candidates import load_candidates
from training.demo_people.sheet import make_sprites, write_sheet
from training.errors import TrainingError


def main(
    data: Annotated[
        Path, typer.Option(envvar="MIEN_DATA", help="Folder with the data set fairface/.", file_okay=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder to write people.webp and people.json to.")] = Path(
        "ingest/demo"
    ),
    cache: Annotated[Path, typer.Option(help="Cache of decoded data sets.")] = Path("runs/cache"),
    seed: Annotated[int, typer.Option(help="Random seed of hair.")] = 0,
) -> None:
    """Make the demo's people: composite faces that the shipped models classify as intended."""
    console = Console()
    try:
        classifier = Classifier()
        people = load_candidates(data, cache, classifier)
        sprites = []
        for sprite in make_sprites(people, classifier, Detector(), seed):
            console.print(", ".join(str(v) for v in sprite.describe().values()), soft_wrap=True)
            sprites.append(sprite)
        picture, index = write_sheet(sprites, classifier, out)
    except (TrainingError, InferenceError, OSError) as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    console.print(f"wrote {picture} ({picture.stat().st_size / 1e6:.2f} MB) and {index}")


if __name__ == "__main__":
    typer.run(main)
