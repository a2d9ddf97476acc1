"""A sheet of sample pictures: a row for each class, a panel for each data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.data.inventory import Inventory

PER_CLASS = 10
_CELL = 96
"""Pixels a side of a picture on the sheet."""
_PAPER = 255


def draw_samples(found: Sequence[Inventory], target: Path, seed: int = 1) -> Path:
    """Draw ten random pictures of each class as a PNG; the same for the same seed and data."""
    rng = np.random.default_rng(seed)
    rows = [len(inventory.classes) for inventory in found]
    figure = Figure(figsize=(9, sum(rows) * 0.8 + len(rows) * 0.5), layout="constrained")
    panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=rows)[:, 0]
    for panel, inventory in zip(panels, found, strict=True):
        sheet = np.concatenate([_row(inventory, label, rng) for label in range(len(inventory.classes))])
        panel.imshow(sheet, cmap="gray", vmin=0, vmax=_PAPER)
        panel.set_title(inventory.title, loc="left")
        panel.set_yticks(_CELL * (np.arange(len(inventory.classes)) + 0.5), inventory.classes)
        panel.set_xticks([])
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=120, format="png")
    return target


def _row(inventory: Inventory, label: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Samples of one class, side by side (cell, cells * cell); paper where it has too few."""
    strip = np.full((_CELL, PER_CLASS * _CELL), _PAPER, np.uint8)
    rows = np.flatnonzero(inventory.labels == label)
    for place, row in enumerate(rng.permutation(rows)[:PER_CLASS]):
        strip[:, place * _CELL : (place + 1) * _CELL] = cv2.resize(inventory.images[row], (_CELL, _CELL))
    return strip
