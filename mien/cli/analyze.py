"""`mien analyze`: faces in pictures and videos on disk."""

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

    from inference.analyser import FaceDetector
    from inference.annotation.picture import LabelledFace
    from inference.offline.analyse_files import FaceAnalyser
    from inference.offline.copies import AnnotatedCopies, DrawFaces
    from inference.offline.files import InputFile
    from inference.offline.records import RecordFile
    from mien.cli.analyze_table import FileSummary

_REFRESH_S = 0.1
_UNREADABLE = 1


def analyze(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Pictures, videos, and folders of them.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write all findings to FILE.jsonl (one line per picture or frame) or FILE.csv (per face)."
        ),
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write annotated copies into this folder.")
    ] = None,
    blur: Annotated[
        bool, typer.Option("--blur", help="Blur everything that may be a face in the annotated copies.")
    ] = False,
    faces: Annotated[
        bool,
        typer.Option(
            "--faces", help="The pictures are face crops: each picture is one face, without detection."
        ),
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Find small faces in pictures of more than 640 pixels: many times slower."
        ),
    ] = False,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="ONNX file of another detector, such as `mien train detector export-teacher` writes.",
        ),
    ] = None,
    every: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0, help="Interval between analysed frames of a video; 0: every frame."
        ),
    ] = 0.0,
) -> None:
    """Find faces in pictures and videos, and estimate the expression and perceived gender of each.

    Prints a table. Exit code 1: a file could not be read; all others were analysed.
    """
    from inference.errors import InputError, OutputError
    from inference.offline.analyse_files import FaceAnalyser
    from inference.offline.copies import AnnotatedCopies
    from inference.offline.files import find_files
    from inference.offline.records import RecordFile, check_suffix
    from mien.cli.analyze_table import build_table, format_totals
    from mien.wiring.models import create_classifier, create_detector, create_thorough_detector

    if blur and annotate is None:
        raise OutputError(
            "--blur hides faces in annotated copies: name a folder for them with --annotate DIR"
        )
    if faces and detector is not None:
        raise InputError(
            f"--detector {detector}: with --faces each picture is one face and none is looked for; "
            "leave one of the two out"
        )
    if out:
        check_suffix(out)
    found = find_files(paths, exclude=annotate)
    if out and out.resolve() in {file.path.resolve() for file in found.files}:
        raise OutputError(f"{out}: would overwrite a file to be read")
    classifier = create_classifier()
    create = create_thorough_detector if thorough else create_detector
    finder = None if faces else create(detector)
    analyser = FaceAnalyser(classifier, finder)
    copies = AnnotatedCopies(annotate, _drawing(finder, blur), found.files) if annotate else None
    with RecordFile(out, classifier.expression_head.labels) if out else nullcontext() as records:
        summaries = list(_analysed(found.files, analyser, every, copies, records))
    console = Console()
    console.print(build_table(summaries))
    console.print(format_totals(summaries, found.others), highlight=False)
    if any(summary.error for summary in summaries):
        raise typer.Exit(_UNREADABLE)


def _drawing(finder: FaceDetector | None, blur: bool) -> DrawFaces:
    """How copies are drawn: face crops, where none is looked for, as cards, others with boxes and labels.

    With `blur` everything is hidden that may be a face, also what the analysis takes for none.
    """
    from inference.annotation.face_card import draw_face_card
    from inference.annotation.picture import BLUR_FROM, NOTHING, annotate_picture
    from media.pixels import luminance_of

    def draw(picture: NDArray[np.uint8], found: Sequence[LabelledFace]) -> NDArray[np.uint8]:
        if finder is None:
            return draw_face_card(picture, found[0].estimate, blur)
        faint = NOTHING
        if blur:
            faint = finder.detect(luminance_of(picture), BLUR_FROM).boxes
        return annotate_picture(picture, found, blur, faint)

    return draw


def _analysed(
    files: Sequence[InputFile],
    analyser: FaceAnalyser,
    every: float,
    copies: AnnotatedCopies | None,
    records: RecordFile | None,
) -> Iterator[FileSummary]:
    """Analyse the items and yield the summary of each; a progress bar is shown meanwhile."""
    from common.file_names import printable_name
    from inference.offline.analyse_files import analyse_file
    from mien.cli.analyze_table import FileSummary

    lengths = [_length(file) for file in files]
    before = 0
    with _progress() as progress:
        task = progress.add_task("", total=sum(lengths), what="")
        shown_at = 0.0
        for file, length in zip(files, lengths, strict=True):
            summary = FileSummary(file.name, file.is_video)
            for record in analyse_file(file, analyser, every, copies):
                summary.add(record)
                if records:
                    records.add(record)
                what = printable_name(file.path.name)
                progress.update(task, completed=before + getattr(record, "frame", 0), what=what)
                if time.monotonic() - shown_at > _REFRESH_S:
                    progress.refresh()
                    shown_at = time.monotonic()
            before += length
            yield summary


def _progress() -> Progress:
    """A progress bar on standard error; none where no terminal is attached."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.fields[what]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        auto_refresh=False,
        transient=True,
        disable=not console.is_terminal,
    )


def _length(file: InputFile) -> int:
    """The number of frames of an item according to its header."""
    from inference.offline.clips import Clip
    from media.errors import MediaError
    from media.kinds import Kind

    if file.kind is not Kind.VIDEO:
        return 1
    try:
        with Clip(file.path) as clip:
            return max(clip.announced, 1)
    except MediaError:
        # The error is reported when the item is analysed.
        return 1
