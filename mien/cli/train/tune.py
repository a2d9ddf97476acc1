"""`mien train tune`: hyper-parameter search on the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from mien.cli.train.options import CACHE, Cache, Data, Threads, console, one_line_errors

if TYPE_CHECKING:
    from training.classifier.recipes import Config
    from training.classifier.tuning import TrialResult

app = typer.Typer()


@app.command()
def tune(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the search and its runs.", file_okay=False)],
    arch: Annotated[str, typer.Option(help="Architecture.")] = "mien",
    task: Annotated[Literal["both", "emotion", "gender"], typer.Option(help="Task of the network.")] = "both",
    trials: Annotated[int, typer.Option(min=1, help="Number of runs, including the recipe's own.")] = 20,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training faces in each run.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the search and of each run.")] = 1,
    precision: Annotated[
        str, typer.Option(help="float32, or mixed_bfloat16 if the processor supports it.")
    ] = "float32",
    threads: Threads = 0,
    resume: Annotated[bool, typer.Option(help="Resume the search in --out.")] = False,
    cache: Cache = CACHE,
) -> None:
    """Search learning rate, weight decay, dropout and mixup by short runs on the validation split."""
    with one_line_errors():
        from training.classifier.card import options
        from training.classifier.recipes import recipe
        from training.classifier.tuning import search
        from training.pages.tuning_chart import draw
        from training.runs.backend import use_threads

        use_threads(threads)
        default = recipe(arch)
        base = replace(default, task=task, epochs=epochs, seed=seed, precision=precision)

        def on_trial_start(number: int, config: Config) -> None:
            console.rule(f"run {number + 1} of {trials}: {_numbers(config)}", align="left")

        results = search(base, trials, data, out, cache, resume, on_trial_start)
        console.print(_table(results), escape(f"wrote {draw(results, out)}"))
        best = replace(results[0].config, epochs=default.epochs)
        console.print(f"mien train fit {options(best)}", soft_wrap=True, markup=False)


def _searched(config: Config) -> dict[str, Any]:
    from training.classifier.tuning import RANGES

    return {name: getattr(config, name) for name in RANGES}


def _numbers(config: Config) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in _searched(config).items())


def _table(results: Sequence[TrialResult]) -> Table:
    names = [name.replace("_", " ") for name in _searched(results[0].config)]
    table = Table("run", *names, "epochs", "right", title="validation split, mean over the heads")
    for each in results:
        values = [f"{value:g}" for value in _searched(each.config).values()]
        epochs = f"{len(each.curve)}, pruned" if each.pruned else str(len(each.curve))
        table.add_row(str(each.number), *values, epochs, f"{each.accuracy:.1%}")
    return table
