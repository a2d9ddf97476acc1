"""`mien analyze`: the faces of pictures and videos on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from inference.annotation.picture import LabelledFace
    from inference.detector import Detector
    from inference.offline.analysis import FaceReader
    from inference.offline.copies import Copies, Drawing
    from inference.offline.files import Item
    from inference.offline.records import RecordFile
    from mien.cli.findings import Summary

_REFRESH_S = 0.1
_UNREADABLE = 1


def analyze(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Pictures, videos, and folders of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write all findings: FILE.jsonl (a line per picture or frame) or FILE.csv (per face)."
        ),
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write annotated copies below this folder.")
    ] = None,
    blur: Annotated[
        bool, typer.Option("--blur", help="Hide the faces that are found in those copies.")
    ] = False,
    faces: Annotated[
        bool,
        typer.Option("--faces", help="The pictures are face crops: one face each, none is searched for."),
    ] = False,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="Analyse videos every so often; 0: every frame.")
    ] = 0.0,
) -> None:
    """Find the faces in pictures and videos, and estimate expression and perceived gender of each.

    Prints a table. Exit code 1: a file could not be read; the rest was analysed.
    """
    from inference.classifier import Classifier
    from inference.errors import OutputError
    from inference.offline.analysis import FaceReader
    from inference.offline.copies import Copies
    from inference.offline.files import find
    from inference.offline.records import RecordFile, check_ending
    from mien.cli.findings import table, totals

    if blur and annotate is None:
        raise OutputError("--blur hides faces in annotated copies: say where they go with --annotate DIR")
    if out:
        check_ending(out)
    found = find(paths, leave_out=annotate)
    copies = Copies(annotate, _drawing(faces, blur), found.items) if annotate else None
    if out and out.resolve() in {item.path.resolve() for item in found.items}:
        raise OutputError(f"{out}: would overwrite a file to be read")
    classifier = Classifier()
    reader = FaceReader(classifier, None if faces else _detector())
    with RecordFile(out, classifier.expression_head.labels) if out else nullcontext() as records:
        summaries = list(_analysed(found.items, reader, every, copies, records))
    console = Console()
    console.print(table(summaries))
    console.print(totals(summaries, found.others), highlight=False)
    if any(summary.error for summary in summaries):
        raise typer.Exit(_UNREADABLE)


def _detector() -> Detector:
    from inference.detector import Detector

    return Detector()


def _drawing(faces: bool, blur: bool) -> Drawing:
    """How copies are drawn: face crops as cards, all else with boxes and labels."""
    from inference.annotation.face_card import card
    from inference.annotation.picture import annotate

    def draw(picture: NDArray[np.uint8], found: Sequence[LabelledFace]) -> NDArray[np.uint8]:
        return card(picture, found[0].estimate, blur) if faces else annotate(picture, found, blur)

    return draw


def _analysed(
    items: Sequence[Item], reader: FaceReader, every: float, copies: Copies | None, records: RecordFile | None
) -> Iterator[Summary]:
    """The summary of each item, while a bar shows how far it is."""
    from inference.offline.analysis import analyse
    from mien.cli.findings import Summary

    lengths = [_length(item) for item in items]
    before = 0
    with _progress() as progress:
        task = progress.add_task("", total=sum(lengths), what="")
        shown_at = 0.0
        for item, length in zip(items, lengths, strict=True):
            summary = Summary(item.name, item.is_video)
            for record in analyse(item, reader, every, copies):
                summary.add(record)
                if records:
                    records.add(record)
                progress.update(task, completed=before + getattr(record, "frame", 0), what=item.path.name)
                if time.monotonic() - shown_at > _REFRESH_S:
                    progress.refresh()
                    shown_at = time.monotonic()
            before += length
            yield summary


def _progress() -> Progress:
    """A bar on standard error that is drawn by this thread alone, or none where nobody looks.

    While a picture is decoded, standard error is diverted: another thread's drawing would be lost.
    """
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.fields[what]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    )


def _length(item: Item) -> int:
    """Frames of an item, as far as its header tells."""
    from inference.errors import ImageError
    from inference.offline.clips import Clip

    if not item.is_video:
        return 1
    try:
        with Clip(item.path) as clip:
            return max(clip.announced, 1)
    except ImageError:
        # It is reported when its turn comes.
        return 1
