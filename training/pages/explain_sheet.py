"""The sheet of `training.measure.explain`: a row per label, each picture beside its heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from training.errors import ExplainError
from training.measure.explain import Explained, Face
from training.pages.chart_style import INK, STRONG

CREDITS = {
    "FER2013": "FER2013 (Goodfellow et al. 2013)",
    "FairFace": "FairFace (Karkkainen and Joo 2021), CC BY 4.0, grey",
}
SUFFIXES = (".png", ".jpg", ".jpeg")
_STRENGTH = 0.65
"""How much of a picture the greatest heat covers."""
_GAP = 2
"""Pixels between a picture and itself under its heat."""


def check_sheet(path: Path) -> None:
    """Raise ExplainError for a path that no sheet can be written to."""
    if path.suffix.lower() not in SUFFIXES:
        raise ExplainError(f"{path} ends with {path.suffix!r}, expected one of {', '.join(SUFFIXES)}")


def draw_sheet(explained: Sequence[Explained], title: str, path: Path) -> None:
    """Write the sheet as PNG or JPEG, by the path's suffix."""
    rows = [len(each.right) for each in explained]
    columns = max(len(faces) for each in explained for faces in (*each.right.values(), *each.wrong.values()))
    figure = Figure(
        figsize=(1.5 + 3.0 * columns, 0.5 + sum(0.55 + 1.02 * n for n in rows)), layout="constrained"
    )
    parts = figure.subfigures(len(explained), 1, squeeze=False, height_ratios=[0.5 + n for n in rows])
    for part, each in zip(parts[:, 0], explained, strict=True):
        _draw_head(part, each, columns)
    figure.suptitle(title, fontsize=9, color=INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def overlaid(face: Face) -> NDArray[np.float64]:
    """A picture beside itself under its heat: (size, 2 size + gap, 3), 0..1."""
    grey = np.repeat(face.picture[..., None] / 255, 3, axis=2)
    cover = _STRENGTH * face.heat[..., None]
    gap = np.ones((len(grey), _GAP, 3))
    return np.concatenate([grey, gap, grey * (1 - cover) + np.array(to_rgb(STRONG)) * cover], axis=1)


def _draw_head(part: SubFigure, explained: Explained, columns: int) -> None:
    credit = CREDITS[explained.source.split()[0]]
    part.suptitle(f"{explained.head}: surely right, and surely wrong. {credit}", fontsize=9, color=INK)
    axes = part.subplots(len(explained.right), 2 * columns, squeeze=False)
    for row, (label, right) in zip(axes, explained.right.items(), strict=True):
        _draw_faces(row[:columns], right)
        _draw_faces(row[columns:], explained.wrong[label])
        row[0].set_ylabel(label, fontsize=9, color=INK)


def _draw_faces(axes: Sequence[Axes], faces: Sequence[Face]) -> None:
    for axis in axes:
        axis.set(xticks=(), yticks=())
        axis.spines[:].set_visible(False)
    for axis, face in zip(axes, faces, strict=False):
        axis.imshow(overlaid(face))
        wrong = face.answer != face.truth
        text = f"{face.truth}, taken for {face.answer}" if wrong else face.truth
        colour = STRONG if wrong else INK
        axis.set_xlabel(f"{text}, {face.confidence:.0%}", fontsize=6.5, color=colour)
