"""Charts of a classifier's figures, drawn only from what `training.classifier.evaluate` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.data.datasets import EXPRESSIONS, GENDERS
from training.measure.bias import FEWEST, reading_order
from training.measure.calibration import BINS
from training.pages.chart_style import CALM, INK, STRONG, bare

_SHARES = LinearSegmentedColormap.from_list("shares", ["#ffffff", CALM, "#2f4858"])
_RIGHT = LinearSegmentedColormap.from_list("right", [STRONG, "#f3d9c9", "#f7f7f5", "#b9c9d4", CALM])
_LOWEST = 0.5
"""Where the colours of gender begin: two answers are right half of the time by chance."""

Figures = Mapping[str, Any]


def draw(figures: Figures, folder: Path, prefix: str = "") -> list[Path]:
    """Write every picture that the figures allow as `PREFIXname.png` into a folder, made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, picture in PICTURES.items():
        if (drawn := picture(figures)) is not None:
            target = folder / f"{prefix}{name}.png"
            drawn.savefig(target, dpi=110)
            written.append(target)
    return written


def confusion(figures: Figures) -> Figure | None:
    """Rows are what is true, columns what was found: the share of each row, and how many faces."""
    cases = (
        ("ferplus", "FER+ argmax", EXPRESSIONS),
        ("fer2013", "FER2013 labels", EXPRESSIONS),
        ("gender", "perceived gender", GENDERS),
    )
    present = [case for case in cases if case[0] in figures]
    widths = [1.4 + 0.58 * len(labels) for _, _, labels in present]
    figure = Figure(figsize=(sum(widths), 5.2), layout="constrained")
    axes = figure.subplots(1, len(present), squeeze=False, width_ratios=widths)[0]
    for axis, (key, title, labels) in zip(axes, present, strict=True):
        counts = np.array(figures[key]["confusion"])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap=_SHARES, vmin=0, vmax=1)
        _cells(axis, shares, counts, dark=shares > 0.5)
        axis.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(labels)), labels)
        axis.set(xlabel="found", ylabel="true")
        axis.tick_params(labelsize=9)
        _title(axis, f"{title}\n% of row (faces)")
    return _signed(figure, figures)


def calibration(figures: Figures) -> Figure | None:
    """How far labels are right by confidence, before and after temperature, and the faces per bin."""
    heads = figures["calibration"]
    figure = Figure(figsize=(4.8 * len(heads), 6.4), layout="constrained")
    axes = figure.subplots(2, len(heads), squeeze=False, sharex=True, height_ratios=(3, 1))
    for (upper, lower), (name, head) in zip(axes.T, heads.items(), strict=True):
        upper.plot((0, 1), (0, 1), color=INK, linewidth=0.8, linestyle=":")
        for when, colour, shift in (("before", CALM, 0.0), ("after", STRONG, 0.5)):
            bins = head[f"reliability_{when}"]
            label = f"{when}: ECE {100 * head[f'ece_{when}']:.1f} %"
            points = [each["confidence"] for each in bins], [each["right"] for each in bins]
            upper.plot(*points, "o-", color=colour, markersize=4, label=label)
            lefts = [each["above"] + shift / BINS for each in bins]
            faces = [each["faces"] for each in bins]
            lower.bar(lefts, faces, 0.45 / BINS, align="edge", color=colour, label=when)
        upper.axvline(head["unknown_below"], color=INK, linewidth=0.8, linestyle="--", label="unknown below")
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is right")
        lower.set(xlabel="confidence", ylabel="faces")
        _title(upper, f"{name}: temperature {head['temperature']:.2f}")
        for axis in (upper, lower):
            bare(axis)
        upper.legend(frameon=False, loc="upper left")
    return _signed(figure, figures)


def risk_coverage(figures: Figures) -> Figure | None:
    """How wrong labels are among the surest faces, for every share of faces that is kept."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axis = figure.subplots()
    colours = (STRONG, CALM)
    for (name, head), colour in zip(figures["calibration"].items(), colours, strict=False):
        curve, kept = head["risk_coverage"], head["coverage"]["value"]
        label = f"{name}: area {100 * curve['aurc']:.1f} %"
        axis.plot(curve["coverage"], curve["risk"], color=colour, label=label)
        if (right := head["agreement_known"]) is not None:
            axis.plot(kept, 1 - right, "o", color=colour, label=f"{name}: {kept:.0%} are not unknown")
    axis.set(xlim=(0, 1.02), xlabel="coverage: share of faces kept", ylabel="risk: share that is wrong")
    axis.set_ylim(bottom=0)
    bare(axis)
    axis.legend(frameon=False, loc="upper left")
    _title(axis, "The surest faces first")
    return _signed(figure, figures)


def bias(figures: Figures) -> Figure | None:
    """How often perceived gender is right by race, gender and age; None without that head."""
    if "gender" not in figures:
        return None
    cells = figures["gender"]["cells"]
    rows = list(dict.fromkeys((cell["race"], cell["gender"]) for cell in cells))
    ages = sorted({cell["age"] for cell in cells}, key=reading_order)
    shares, counts = np.full((len(rows), len(ages)), np.nan), np.zeros((len(rows), len(ages)), int)
    for cell in cells:
        place = rows.index((cell["race"], cell["gender"])), ages.index(cell["age"])
        shares[place], counts[place] = cell["value"], cell["n"]
    figure = Figure(figsize=(2.6 + 0.8 * len(ages), 1.5 + 0.42 * len(rows)), layout="constrained")
    axis = figure.subplots()
    few = counts < FEWEST
    axis.imshow(shares, cmap=_RIGHT, vmin=_LOWEST, vmax=1, aspect="auto", alpha=np.where(few, 0.3, 1.0))
    _cells(axis, shares, counts, dark=(shares < 0.56) & ~few)
    axis.set_xticks(range(len(ages)), [age.replace("more than", "over") for age in ages])
    axis.set_yticks(range(len(rows)), [f"{race.replace('_', ' ')}, {gender}" for race, gender in rows])
    axis.set_xlabel("age")
    _title(axis, f"Perceived gender: % that is right (faces), pale where they are fewer than {FEWEST}")
    return _signed(figure, figures)


PICTURES: dict[str, Callable[[Figures], Figure | None]] = {
    "confusion": confusion,
    "calibration": calibration,
    "risk-coverage": risk_coverage,
    "bias": bias,
}


def _cells(
    axis: Axes, shares: NDArray[np.float64], counts: NDArray[np.int64], dark: NDArray[np.bool_]
) -> None:
    """Write share and count into every cell that has faces, in white where the cell is dark."""
    for row, column in np.argwhere(counts > 0):
        text = f"{100 * shares[row, column]:.0f}\n({counts[row, column]})"
        colour = "white" if dark[row, column] else INK
        axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _title(axis: Axes, text: str) -> None:
    axis.set_title(text, color=INK, loc="left", fontsize=10)


def _signed(figure: Figure, figures: Figures) -> Figure:
    """Say below a picture what was measured on what."""
    model, part = figures["model"], figures["part"]
    sources: Sequence[str] = [part["faces"], part["people"]]
    figure.supxlabel(f"{model['run']}/{model['file']} on {', '.join(sources)}", fontsize=8, color=INK)
    return figure
