"""Tables and charts of the comparison, from the stored figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from common.palette import INK, STEEL, STRONG
from training.classifier.card import NAME
from training.classifier.recipes import recipe
from training.errors import ReportError
from training.measure.comparison import FIGURES_PATH, FRAME_BASELINE, SystemFigures
from training.measure.systems import REMEDIES, SYSTEMS, System, gender_passes
from training.pages.chart_style import simplify_axes
from training.pages.markdown import table, with_interval
from training.runs.publishing import FIGURES

CHART, REMEDIES_CHART = Path("docs/images/comparison.png"), Path("docs/images/remedies.png")

TRUTHS = {
    "fer2013": "FER2013 labels",
    "ferplus_strict": "FER+ strict",
    "ferplus_argmax": "FER+ argmax",
    "gender": "FairFace gender",
}


def read_figures(path: Path = FIGURES_PATH) -> dict[str, SystemFigures]:
    """The stored figures by system; raises ReportError if there are none."""
    if not path.exists():
        raise ReportError(f"{path}: no figures yet; run mien train compare")
    found: dict[str, SystemFigures] = json.loads(path.read_text())
    return found


def accuracy_table(figures: Mapping[str, SystemFigures]) -> str:
    """Accuracy of each system on PublicTest and on the test split, with 95 % intervals (Markdown)."""
    columns = (
        "system",
        "network",
        "passes",
        "over FairFace",
        "PublicTest",
        *TRUTHS.values(),
        "macro-F1",
    )
    rows = []
    for name, what, passes, over_fairface, parts in _rows(figures):
        test = parts["test"]
        rows.append(
            (
                f"`{name}`",
                what,
                passes,
                over_fairface,
                _share(parts["validation"], "fer2013"),
                *(_share(test, truth) for truth in TRUTHS),
                f"{100 * test['macro_f1']['fer2013']:.1f}" if "fer2013" in test["macro_f1"] else "",
            )
        )
    return table(columns, rows)


def cost_table(figures: Mapping[str, SystemFigures]) -> str:
    """Cost per face of each system, in float32 on one thread (Markdown)."""
    rows = []
    for system in _measured_systems(figures):
        found = figures[system.name]
        costs = found["costs"]
        sizes = f"{costs['parameters']:,}", str(costs["mmacs"]), f"{costs['bytes']:,}"
        times = str(costs["batch_1_ms"]), str(costs["batch_16_ms"]), str(found["minutes"])
        rows.append((f"`{system.name}`", *sizes, *times))
    head = ("system", "parameters", "million multiply-adds", "bytes", "ms, one at a time", "ms, in sixteens")
    return table((*head, "minutes of training"), rows)


def claim_table(figures: Mapping[str, SystemFigures]) -> str:
    """What the works report, and why our figures differ (Markdown)."""
    rows = [
        (f"`{system.name}`", system.claim, system.apart) for system in SYSTEMS if system.claim or system.apart
    ]
    return table(("system", "where it comes from", "what is different here"), rows)


def remedy_table(figures: Mapping[str, SystemFigures]) -> str:
    """Gap between training and validation with each remedy against over-fitting (Markdown)."""
    rows = []
    for system in _measured_remedies(figures):
        last = {name: values[-1] for name, values in figures[system.name]["curves"].items()}
        training, validation = last["expression_accuracy"], last["val_expression_accuracy"]
        gap = f"{100 * (training - validation):+.1f}"
        rows.append((system.what, f"{100 * training:.1f}", f"{100 * validation:.1f}", gap))
    return table(("remedy", "training %", "validation %", "gap"), rows)


def draw(figures: Mapping[str, SystemFigures], target: Path = CHART) -> None:
    """Draw the accuracy of every system with its interval, one panel per label set."""
    rows = _rows(figures)[::-1]
    shown = ("fer2013", "ferplus_strict", "gender")
    figure = Figure(figsize=(12, 0.32 * len(rows) + 1.2), layout="constrained")
    for axis, truth in zip(figure.subplots(1, len(shown), sharey=True), shown, strict=True):
        for place, (name, *_, parts) in enumerate(rows):
            share = parts["test"]["headline"].get(truth)
            if share is None:
                continue
            value, low, high = (100 * share[part] for part in ("value", "low", "high"))
            colour = STRONG if name.startswith("mien") else STEEL
            axis.plot([low, high], [place, place], color=colour, linewidth=2, alpha=0.5)
            axis.plot(value, place, "o", color=colour, markersize=5)
            axis.annotate(
                f"{value:.1f}",
                (high, place),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=INK,
            )
        axis.set_title(f"{TRUTHS[truth]}, % right", loc="left", fontsize=10, color=INK)
        simplify_axes(axis, "x")
        axis.margins(x=0.15)
        axis.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    figure.savefig(target, dpi=120)


def draw_remedies(figures: Mapping[str, SystemFigures], target: Path = REMEDIES_CHART) -> None:
    """Draw training and validation curves of each remedy, if there are any."""
    systems = _measured_remedies(figures)
    if not systems:
        return
    figure = Figure(figsize=(2.6 * len(systems), 2.8), layout="constrained")
    for axis, system in zip(
        figure.subplots(1, len(systems), sharey=True, squeeze=False)[0], systems, strict=True
    ):
        curves = figures[system.name]["curves"]
        passes = range(1, len(curves["expression_accuracy"]) + 1)
        axis.plot(passes, _percent(curves["expression_accuracy"]), color=STEEL, label="training")
        axis.plot(passes, _percent(curves["val_expression_accuracy"]), color=STRONG, label="validation")
        axis.set_title(
            system.what.replace(" of ", "\nof ").replace(": ", ":\n"), loc="left", fontsize=9, color=INK
        )
        simplify_axes(axis)
        axis.set_xlabel("pass")
    figure.axes[0].set_ylabel("FER+ votes, % right")
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(target, dpi=120)


BLOCKS: dict[str, Callable[[Mapping[str, SystemFigures]], str]] = {
    "comparison": accuracy_table,
    "comparison costs": cost_table,
    "comparison claims": claim_table,
    "remedies": remedy_table,
}


def _measured_systems(figures: Mapping[str, SystemFigures]) -> list[System]:
    return [system for system in SYSTEMS if system.name in figures]


def _measured_remedies(figures: Mapping[str, SystemFigures]) -> list[System]:
    return [
        system
        for system in REMEDIES
        if system.name in figures and "expression_accuracy" in figures[system.name]["curves"]
    ]


def _rows(figures: Mapping[str, SystemFigures]) -> list[tuple[str, str, str, str, Mapping[str, Any]]]:
    """Name, network, passes, those over FairFace, and figures of every row.

    `paper_cnn` is followed by its rows for clips.
    """
    rows = []
    for system in _measured_systems(figures):
        found = figures[system.name]
        passes = str(found["passes"]), _passes_over_fairface(system, found)
        rows.append((system.name, system.what, *passes, found["parts"]))
        if system.name == FRAME_BASELINE:
            for way, parts in found["on_clips"].items():
                what = {"mean_of_3": "mean of 3 softmaxes, clips of 3", "one_frame": "first frame of clips"}[
                    way
                ]
                rows.append((f"{FRAME_BASELINE}, {way.replace('_', ' ')}", what, *passes, parts))
    return [*rows, ("mien, as it ships", "ours, trained for longer: its card", "", "", _shipped())]


def _passes_over_fairface(system: System, found: SystemFigures) -> str:
    """The stored passes; figures without them are from runs with the recipe's number of faces per step."""
    config = replace(recipe(system.arch), **system.options, epochs=found["passes"])
    passes = found.get("gender_passes", gender_passes(config))
    return f"{passes:.1f}" if passes else ""


def _shipped() -> Mapping[str, Any]:
    """The figures of the shipped float32 file, in the same form."""
    parts = json.loads((FIGURES / f"{NAME}.json").read_text())["float32"]
    return {
        part: {
            "headline": figures["headline"],
            "macro_f1": {truth: figures[truth]["macro_f1"] for truth in ("fer2013", "ferplus")},
        }
        for part, figures in parts.items()
    }


def _share(part: Mapping[str, Any], truth: str) -> str:
    share = part["headline"].get(truth)
    return "" if share is None else with_interval(share)


def _percent(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]
