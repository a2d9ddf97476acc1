"""Table and chart of runs of different length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from common.palette import INK, MUTED, STRONG
from training.measure.compute import HEADS, RunFigures
from training.pages.chart_style import simplify_axes
from training.pages.markdown import table

CHART = Path("docs/images/compute.png")

SHIPPED_NETWORK = "mien"
"""The network whose runs are compared; the others are its teachers."""


def compute_table(runs: Sequence[RunFigures]) -> str:
    """Final validation accuracy of each run, and the gain over the network's previous run (Markdown)."""
    columns = ("network", "passes", "minutes", "with Keras on", "learns from")
    rows, longest = [], dict[str, RunFigures]()
    for run in runs:
        teachers = f"labels, and teachers: {run['teachers']}" if run["teachers"] else "labels"
        minutes, before = f"{run['minutes']:.0f}", longest.get(run["network"])
        cells = [_cell(run, before, head) for head in HEADS]
        rows.append((f"`{run['network']}`", str(run["passes"]), minutes, run["backend"], teachers, *cells))
        longest[run["network"]] = run
    return table((*columns, *(f"{name}, validation %" for name in HEADS.values())), rows)


def draw(runs: Sequence[RunFigures], target: Path = CHART) -> None:
    """Validation accuracy by pass: a line per run, a dot at its end, dotted lines for teachers."""
    figure = Figure(figsize=(4 * len(HEADS), 3.4), layout="constrained")
    for axis, (head, name) in zip(figure.subplots(1, len(HEADS)), HEADS.items(), strict=True):
        for number, run in enumerate(runs):
            accuracy = [100 * value for value in run["accuracy"][head]]
            end, ships = (len(accuracy), accuracy[-1]), run["network"] == SHIPPED_NETWORK
            axis.plot(range(1, len(accuracy) + 1), accuracy, "-" if ships else ":", color=MUTED, linewidth=1)
            axis.plot(*end, "o", color=STRONG if ships else MUTED, markersize=5)
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
        simplify_axes(axis)
    figure.savefig(target, dpi=120)


def _cell(run: RunFigures, before: RunFigures | None, head: str) -> str:
    last = 100 * run["accuracy"][head][-1]
    if before is None:
        return f"{last:.1f}"
    return f"{last:.1f} ({last - 100 * before['accuracy'][head][-1]:+.1f})"


BLOCKS = {"compute": compute_table}
