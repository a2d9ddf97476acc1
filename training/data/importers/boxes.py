"""Where the main face of each picture is: from a table, or found by Mien's own detector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inference.detector import Detector
from inference.model_file import shipped
from training.data.datasets import FAIRFACE_SIDE
from training.data.importers.places import Tick, silent
from training.data.importers.tables import records, shown
from training.errors import DatasetError

USUAL = (10.0, -7.0, 76.0, 100.0)
"""The box of a picture where no face was found in any: about the median of FairFace's."""


def detector_file() -> Path:
    """The model that finds faces, on which boxes depend like on any other file."""
    return shipped("detector")


def boxes_from_table(path: Path, files: Sequence[str]) -> NDArray[np.float32]:
    """The box (n, 4) nearest the centre of each file's picture, from the columns `file,x,y,w,h`.

    A picture without one takes the median box: leaving it out would make figures look better than they are.
    """
    best: dict[str, tuple[float, tuple[float, ...]]] = {}
    for row, record in records(path, ("file", "x", "y", "w", "h")):
        box = tuple(_pixels(record, name, f"{path.name} row {row}") for name in ("x", "y", "w", "h"))
        away = _off_centre(box)
        if record["file"] not in best or away < best[record["file"]][0]:
            best[record["file"]] = (away, box)
    return _filled([best[file][1] if file in best else None for file in files])


def found_boxes(images: NDArray[np.uint8], tick: Tick = silent) -> NDArray[np.float32]:
    """The box (n, 4) of the face nearest the centre of each picture (n, h, w), as the detector sees it.

    A picture in which it sees none takes the median box, too.
    """
    detector = Detector(detector_file())
    found: list[tuple[float, ...] | None] = []
    for image in images:
        seen = [tuple(box) for box in detector.detect(image).boxes.tolist()]
        found.append(min(seen, key=_off_centre, default=None))
        tick()
    return _filled(found)


def _filled(boxes: Sequence[tuple[float, ...] | None]) -> NDArray[np.float32]:
    median = np.median(np.array([box for box in boxes if box is not None] or [USUAL]), axis=0)
    rows: list[ArrayLike] = [median if box is None else box for box in boxes]
    return np.array(rows, np.float32).reshape(-1, 4)


def _off_centre(box: tuple[float, ...]) -> float:
    x, y, w, h = box
    return math.hypot(x + w / 2 - FAIRFACE_SIDE / 2, y + h / 2 - FAIRFACE_SIDE / 2)


def _pixels(record: dict[str, str], column: str, where: str) -> float:
    text, size = record[column], column in "wh"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (size and value <= 0):
        raise DatasetError(
            f"{where} column {column}: {shown(text)}, expected a number{' above 0' * size} in pixels"
        )
    return value
