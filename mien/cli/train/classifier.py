"""`mien train fit|export|evaluate|publish|report|frame`: the face classifier."""

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
    Data,
    Minutes,
    Precision,
    Resume,
    Seed,
    Task,
    Threads,
    console,
    given,
    one_line_errors,
)

app = typer.Typer()


@app.command()
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Run folder to write.", file_okay=False)],
    arch: Annotated[str, typer.Option(help="Architecture.")] = "mien",
    task: Task = None,
    trunk: Annotated[
        str | None, typer.Option(help="Run folder from which all weights except the heads' are copied.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(help="Float32 ONNX file, or exported run, of the same architecture to start with."),
    ] = None,
    imagenet: Annotated[
        str | None, typer.Option(help="Weights of ImageNet for the architecture lite0 (.pth).")
    ] = None,
    frozen: Annotated[
        bool | None, typer.Option(help="Do not train the layers copied from the trunk.")
    ] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="Run folder of a teacher network; may be given several times."),
    ] = None,
    taught: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the loss that comes from the teachers.")
    ] = None,
    augment: Annotated[
        bool | None, typer.Option(help="Train on random views; otherwise on the unchanged pictures.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training faces.")] = None,
    minutes: Minutes = None,
    seed: Seed = None,
    optimizer: Annotated[Literal["adamw", "sgd"] | None, typer.Option(help="Optimizer.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    weight_decay: Annotated[float | None, typer.Option(min=0, help="Weight decay, decoupled.")] = None,
    ema: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of the averaged weights that each step keeps, at most."),
    ] = None,
    warmup: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the run in which the rate rises.")
    ] = None,
    dropout: Annotated[float | None, typer.Option(min=0, max=0.9, help="Dropout.")] = None,
    mixup: Annotated[float | None, typer.Option(min=0, help="Parameter of mixup; 0: no mixup.")] = None,
    expression_batch: Annotated[int | None, typer.Option(min=1, help="FER2013 faces per step.")] = None,
    gender_batch: Annotated[int | None, typer.Option(min=1, help="Faces with a gender per step.")] = None,
    utkface: Annotated[
        bool | None, typer.Option(help="Add UTKFace's faces to FairFace's for perceived gender.")
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Draw rare groups of race, gender and age more often; 1: all groups alike."
        ),
    ] = None,
    precision: Precision = None,
    threads: Threads = 0,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that make the batches; an accelerator needs several.")
    ] = 0,
    resume: Resume = False,
    cache: Cache = CACHE,
) -> None:
    """Train one face classifier for expressions and perceived gender."""
    with one_line_errors():
        from training.classifier.recipes import recipe
        from training.classifier.train import fit as run_fit
        from training.runs.backend import use_threads

        use_threads(threads)
        chosen = given(
            task=task,
            trunk=trunk,
            start_from=start_from,
            imagenet=imagenet,
            frozen=frozen,
            teachers=None if teacher is None else tuple(teacher),
            taught=taught,
            augment=augment,
            epochs=epochs,
            minutes=minutes,
            seed=seed,
            optimizer=optimizer,
            learning_rate=learning_rate,
            ema=ema,
            warmup=warmup,
            weight_decay=weight_decay,
            dropout=dropout,
            mixup=mixup,
            expression_batch=expression_batch,
            gender_batch=gender_batch,
            utkface=utkface,
            balance=balance,
            precision=precision,
        )
        config = replace(recipe(arch), **chosen)
        written = run_fit(config, data, out, cache, resume, workers=workers)
        console.print(f"wrote {written}", markup=False)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    data: Data,
    version: Annotated[str, typer.Option(help="Version in the file's metadata.")] = "1",
    cache: Cache = CACHE,
) -> None:
    """Calibrate a run's model and write it as ONNX, checked against Keras."""
    with one_line_errors():
        from training.classifier.export import export_run

        path, difference = export_run(run, data, cache, version)
        console.print(f"wrote {path}; largest difference from Keras {difference:.1e}", markup=False)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="ONNX or HDF5 file.")],
    data: Data,
    part: Annotated[
        Literal["validation", "test"],
        typer.Option(help="validation: PublicTest and a held-out slice; test: PrivateTest and FairFace val."),
    ] = "validation",
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder for charts of confusion, calibration, risk and bias.", file_okay=False),
    ] = None,
    cache: Cache = CACHE,
) -> None:
    """Measure a classifier. Use the part `test` only once, after all decisions."""
    with one_line_errors():
        from training.classifier.evaluate import evaluate as measure
        from training.runs.run_folder import write_json

        figures = measure(model, data, cache, part)
        if json_file:
            write_json(json_file, figures)
        if pictures:
            from training.pages.classifier_charts import draw_charts

            draw_charts(figures, pictures)
        console.print(_figures_table(figures), _heads_table(figures))


@app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Run folder, exported and evaluated.")],
    images: Annotated[
        Path, typer.Option(help="Folder for the pictures of the model card.", file_okay=False)
    ] = Path("docs/images"),
) -> None:
    """Publish a run: ONNX files, model card and checksums to inference/models, figures to docs/figures."""
    with one_line_errors():
        from inference.model_file import MODELS
        from training.classifier.card import publish as ship

        console.print(f"wrote {ship(run, MODELS, images)}", markup=False)


@app.command()
def report(
    page: Annotated[Path, typer.Option(help="Page to update.", dir_okay=False)] = Path("docs/models.md"),
) -> None:
    """Update the figures of the shipped models on their page."""
    with one_line_errors():
        from training.pages.report import write_report

        write_report(page)
        console.print(f"wrote {page}", markup=False)


@app.command()
def frame(data: Data, cache: Cache = CACHE) -> None:
    """Search the crop constants that make FairFace's faces look like FER2013's."""
    with one_line_errors():
        from training.classifier.framing import search

        with console.status("comparing mean faces"):
            found = search(data, cache)
        console.print(
            f"scale {found.scale:.2f}, shift {found.shift:+.2f}: correlation {found.correlation:.3f}"
        )


def _figures_table(figures: Mapping[str, Any]) -> Table:
    part = figures["part"]
    table = Table("right", "%", "95 %", "n", title=f"{part['faces']}, {part['people']}")
    # Clips have moving boxes anyway: they have no such case.
    cases = {"": figures["headline"], ", moved boxes": figures["robustness"].get("moved boxes", {})}
    for case, shares in cases.items():
        for name, share in shares.items():
            interval = f"{share['low']:.1%} - {share['high']:.1%}"
            table.add_row(name + case, f"{share['value']:.1%}", interval, str(share["n"]))
    return table


def _heads_table(figures: Mapping[str, Any]) -> Table:
    table = Table("head", "cross-entropy", "ECE %", "risk-coverage area %", "known %")
    for head, loss in figures["crossentropy"].items():
        row = [head, f"{loss:.3f}"]
        if found := figures["calibration"].get(head):
            aurc = found["risk_coverage"]["aurc"]
            row += [f"{100 * x:.1f}" for x in (found["ece_after"], aurc, found["coverage"]["value"])]
        table.add_row(*row)
    if "gender" in figures and (cell := figures["gender"]["worst_cell"]):
        table.caption = (
            f"gender is least accurate for {cell['race']} {cell['gender']} {cell['age']}: "
            f"{cell['value']:.1%} ({cell['low']:.1%} - {cell['high']:.1%}) of {cell['n']}"
        )
    return table
