"""Chart of a hyper-parameter search: the curves of its runs, and accuracy by each number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from common.palette import STEEL, STRONG
from training.classifier.tuning import RANGES, TrialResult
from training.pages.chart_style import simplify_axes

PICTURE_FILE = "trials.png"

_BEST, _OTHER, _PRUNED = STRONG, STEEL, "#c9d3da"


def draw(results: Sequence[TrialResult], out: Path) -> Path:
    """Draw all runs, given the best first, as a PNG in the folder `out`."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    spaces = figure.subplot_mosaic(
        [["curves", "curves", *list(RANGES)[:2]], ["curves", "curves", *list(RANGES)[2:]]]
    )
    curves = spaces["curves"]
    for each in reversed(results):
        colour = _colour(each, results)
        epochs = range(1, len(each.curve) + 1)
        curves.plot(epochs, each.curve, color=colour, marker=".", zorder=2 if colour == _BEST else 1)
        for name in RANGES:
            spaces[name].scatter(getattr(each.config, name), each.accuracy, color=colour)
    curves.set_title("accuracy on the validation split, mean over the heads", loc="left")
    curves.set_xlabel("epoch")
    for name, (_, _, logarithmic) in RANGES.items():
        spaces[name].set_xlabel(name.replace("_", " "))
        spaces[name].set_xscale("log" if logarithmic else "linear")
    for space in spaces.values():
        simplify_axes(space)
    for label, colour in (("best", _BEST), ("complete", _OTHER), ("pruned", _PRUNED)):
        curves.plot([], [], color=colour, label=label)
    curves.legend(frameon=False)
    target = out / PICTURE_FILE
    figure.savefig(target, dpi=120)
    return target


def _colour(each: TrialResult, results: Sequence[TrialResult]) -> str:
    if each is results[0]:
        return _BEST
    return _PRUNED if each.pruned else _OTHER
