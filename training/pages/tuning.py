"""What a search found, as a picture: the curves of its runs, and the accuracy by each number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.classifier.tuning import RANGES, Tried
from training.pages.chart_style import STEEL, STRONG, bare

PICTURE_FILE = "trials.png"

_BEST, _OTHER, _PRUNED = STRONG, STEEL, "#c9d3da"


def draw(tried: Sequence[Tried], out: Path) -> Path:
    """Draw all runs, the best first, into a PNG in the folder `out`."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    spaces = figure.subplot_mosaic(
        [["curves", "curves", *list(RANGES)[:2]], ["curves", "curves", *list(RANGES)[2:]]]
    )
    curves = spaces["curves"]
    for each in reversed(tried):
        colour = _colour(each, tried)
        epochs = range(1, len(each.curve) + 1)
        curves.plot(epochs, each.curve, color=colour, marker=".", zorder=2 if colour == _BEST else 1)
        for name in RANGES:
            spaces[name].scatter(getattr(each.config, name), each.accuracy, color=colour)
    curves.set_title("accuracy on validation pictures, mean over the heads", loc="left")
    curves.set_xlabel("epoch")
    for name, (_, _, logarithmic) in RANGES.items():
        spaces[name].set_xlabel(name.replace("_", " "))
        spaces[name].set_xscale("log" if logarithmic else "linear")
    for space in spaces.values():
        bare(space)
    for label, colour in (("best", _BEST), ("to the end", _OTHER), ("given up", _PRUNED)):
        curves.plot([], [], color=colour, label=label)
    curves.legend(frameon=False)
    target = out / PICTURE_FILE
    figure.savefig(target, dpi=120)
    return target


def _colour(each: Tried, tried: Sequence[Tried]) -> str:
    if each is tried[0]:
        return _BEST
    return _PRUNED if each.pruned else _OTHER
