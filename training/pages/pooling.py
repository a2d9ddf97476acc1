"""The ways of pooling as tables, from the figures that were kept beside the models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from training.classifier.card import table, with_interval
from training.measure.pooling import BASELINE, SHIPPED

NAME = "pooling"


def comparison_table(figures: Mapping[str, Any], gait: str) -> str:
    """How near each way comes to the truth where people walk up, or where they stand (Markdown)."""
    heads = figures["gaits"][gait]
    rows = []
    for together in zip(*(compared["ways"] for compared in heads.values()), strict=True):
        scale, weights = together[0]["of"], together[0]["weights"]
        name = f"{scale}, {weights}"
        cells = [cell for way in together for cell in _cells(way)]
        rows.append((f"**{name}**" if (scale, weights) == SHIPPED else name, *cells))
    columns = [
        column
        for head, compared in heads.items()
        for column in (f"{head} right % (95 %), n = {compared['visits']}", "p", "cross-entropy", "ECE %")
    ]
    return table((f"{gait}: mean of, weights", *columns), rows)


def _cells(way: Mapping[str, Any]) -> tuple[str, ...]:
    right, p = way["right"], way["against_mean"]["p"]
    chance = "" if (way["of"], way["weights"]) == BASELINE else f"{p:.3f}" if p >= 0.001 else "< 0.001"
    return with_interval(right), chance, f"{way['crossentropy']:.3f}", f"{100 * way['ece']:.1f}"


BLOCKS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "pooling walking": partial(comparison_table, gait="walks up"),
    "pooling standing": partial(comparison_table, gait="stands"),
}
"""The blocks of the page that show them."""
