"""What a network gains from more training: validation figures of runs of different length, each to its end.

A run whose rate has come down at pass 6 is not the beginning of one that goes on to 60: only where runs end
can they be compared. Training time depends on the machine; passes over the training faces do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from training.classifier.card import table
from training.classifier.recipes import TASKS
from training.errors import ReportError, RunError
from training.pages.chart_style import CALM, INK, STRONG, bare
from training.runs.folder import read_backend, read_config, read_history, spent

KEPT, CHART = Path("docs/compute.json"), Path("docs/images/compute.png")

HEADS = {"fer2013": "FER2013 labels", "expression": "FER+ votes", "gender": "perceived gender"}

SHIPS = "mien"
"""The network whose runs are compared; others are there as its teachers."""

Ran = Mapping[str, Any]


def gathered(runs: Sequence[Path], path: Path = KEPT) -> list[Ran]:
    """What each run went through, the shortest first: passes, minutes, teachers, accuracies by pass.

    Runs that were kept before stay, unless one of the same name takes their place. Raises RunError for a
    folder without a run, or a run that lacks one of the heads.
    """
    before = kept(path) if path.exists() else []
    found = {run["run"]: run for run in (*before, *map(_ran, runs))}
    return sorted(found.values(), key=lambda run: int(run["passes"]))


def kept(path: Path = KEPT) -> list[Ran]:
    """The runs that were kept; raises ReportError where none were."""
    if not path.exists():
        raise ReportError(f"{path}: no runs yet; run mien train compute RUN ...")
    found: list[Ran] = json.loads(path.read_text())
    return found


def compute_table(ran: Sequence[Ran]) -> str:
    """Where each run ended on validation pictures, and the gain over the network's one before (Markdown)."""
    columns = ("network", "passes", "minutes", "with Keras on", "learns from")
    rows, longest = [], dict[str, Ran]()
    for run in ran:
        teachers = f"labels, and teachers: {run['teachers']}" if run["teachers"] else "labels"
        minutes, before = f"{run['minutes']:.0f}", longest.get(run["network"])
        cells = [_cell(run, before, head) for head in HEADS]
        rows.append((f"`{run['network']}`", str(run["passes"]), minutes, run["backend"], teachers, *cells))
        longest[run["network"]] = run
    return table((*columns, *(f"{name}, validation %" for name in HEADS.values())), rows)


def draw(ran: Sequence[Ran], target: Path = CHART) -> None:
    """Accuracy on validation pictures by pass: a line per run, a dot where it ends; teachers are dotted."""
    figure = Figure(figsize=(4 * len(HEADS), 3.4), layout="constrained")
    for axis, (head, name) in zip(figure.subplots(1, len(HEADS)), HEADS.items(), strict=True):
        for number, run in enumerate(ran):
            accuracy = [100 * value for value in run["accuracy"][head]]
            end, ships = (len(accuracy), accuracy[-1]), run["network"] == SHIPS
            axis.plot(range(1, len(accuracy) + 1), accuracy, "-" if ships else ":", color=CALM, linewidth=1)
            axis.plot(*end, "o", color=STRONG if ships else CALM, markersize=5)
            if ships:
                axis.annotate(
                    f"{accuracy[-1]:.1f}",
                    end,
                    (0, -14 if number % 2 else 6),
                    textcoords="offset points",
                    ha="center",
                    fontsize=8,
                    color=INK,
                )
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.margins(y=0.1)
        axis.set_title(f"{name}, validation %", loc="left", fontsize=10, color=INK)
        axis.set_xlabel("passes")
        bare(axis)
    figure.savefig(target, dpi=120)


def _ran(run: Path) -> Ran:
    config, history = read_config(run), read_history(run)
    if set(config.heads) != set(TASKS["both"]):
        raise RunError(f"{run} was trained for {config.task}; runs for both are compared")
    return {
        "run": run.name,
        "network": config.arch,
        "passes": len(history),
        "minutes": round(spent(history) / 60, 1),
        "backend": read_backend(run),
        "teachers": len(config.teachers),
        "accuracy": {head: [row[f"val_{head}_accuracy"] for row in history] for head in HEADS},
    }


def _cell(run: Ran, before: Ran | None, head: str) -> str:
    last = 100 * run["accuracy"][head][-1]
    if before is None:
        return f"{last:.1f}"
    return f"{last:.1f} ({last - 100 * before['accuracy'][head][-1]:+.1f})"


BLOCKS = {"compute": compute_table}
