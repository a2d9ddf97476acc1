"""`mien train tune`: the numbers of a recipe, searched on validation pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from mien.cli.train.options import CACHE, Cache, Data, Threads, console, one_line_errors

if TYPE_CHECKING:
    from training.classifier.recipes import Config
    from training.classifier.tuning import Tried

app = typer.Typer()


@app.command()
def tune(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the search and its runs.", file_okay=False)],
    arch: Annotated[str, typer.Option(help="Architecture.")] = "mien",
    task: Annotated[
        Literal["both", "emotion", "gender"], typer.Option(help="What one network is to learn.")
    ] = "both",
    trials: Annotated[int, typer.Option(min=1, help="Runs in all, the recipe's own among them.")] = 20,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training faces in each run.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the search and of each run.")] = 1,
    precision: Annotated[
        str, typer.Option(help="float32, or mixed_bfloat16 where the processor has it.")
    ] = "float32",
    threads: Threads = 0,
    resume: Annotated[bool, typer.Option(help="Go on with the search in --out.")] = False,
    cache: Cache = CACHE,
) -> None:
    """Search learning rate, weight decay, dropout and mixup by short runs; the test pictures stay closed."""
    with one_line_errors():
        from training.classifier.card import options
        from training.classifier.recipes import recipe
        from training.classifier.tuning import search
        from training.pages.tuning import draw
        from training.runs.backend import use_threads

        use_threads(threads)
        default = recipe(arch)
        base = replace(default, task=task, epochs=epochs, seed=seed, precision=precision)

        def begun(number: int, config: Config) -> None:
            console.rule(f"run {number + 1} of {trials}: {_numbers(config)}", align="left")

        tried = search(base, trials, data, out, cache, resume, begun)
        console.print(_table(tried), f"wrote {draw(tried, out)}")
        best = replace(tried[0].config, epochs=default.epochs)
        console.print(f"mien train fit {options(best)}", soft_wrap=True)


def _searched(config: Config) -> dict[str, Any]:
    from training.classifier.tuning import RANGES

    return {name: getattr(config, name) for name in RANGES}


def _numbers(config: Config) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in _searched(config).items())


def _table(tried: Sequence[Tried]) -> Table:
    names = [name.replace("_", " ") for name in _searched(tried[0].config)]
    table = Table("run", *names, "epochs", "right", title="validation pictures, mean over the heads")
    for each in tried:
        values = [f"{value:g}" for value in _searched(each.config).values()]
        epochs = f"{len(each.curve)}, given up" if each.pruned else str(len(each.curve))
        table.add_row(str(each.number), *values, epochs, f"{each.accuracy:.1%}")
    return table
