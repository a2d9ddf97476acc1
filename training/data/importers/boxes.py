"""Face boxes of pictures: from a table, or from Mien's own detector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inference.detector import Detector
from inference.model_file import shipped
from training.data.datasets import FAIRFACE_SIDE
from training.data.importers.paths import Tick, no_progress
from training.data.importers.tables import quote, read_rows
from training.errors import DatasetError

BOX_COLUMNS = ("x", "y", "w", "h")
LANDMARKS = ("right_eye", "left_eye", "nose")
LANDMARK_COLUMNS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")

DEFAULT_BOX = (10.0, -7.0, 76.0, 100.0)
"""The box used if no face was found in any picture: about the median of FairFace's boxes."""


def detector_file() -> Path:
    """The detector model, a source file of the boxes."""
    return shipped("detector")


def read_boxes(path: Path, files: Sequence[str]) -> NDArray[np.float32]:
    """The box (n, 4) nearest the centre of each file's picture, from the columns `file,x,y,w,h`.

    A picture without a box gets the median box: leaving it out would make figures too good.
    """
    best = _nearest_faces(path, BOX_COLUMNS)
    return _fill_missing([best.get(file, (None,))[0] for file in files])


def read_landmarks(path: Path, files: Sequence[str]) -> NDArray[np.float32]:
    """Right eye, left eye and nose (n, 3, 2) in pixels of the face that `read_boxes` gives.

    The columns are `right_eye_x`, `right_eye_y`, `left_eye_x` and so on. A picture without a face is NaN.
    Raises DatasetError for a table without these columns.
    """
    found = np.full((len(files), len(LANDMARKS), 2), np.nan, np.float32)
    best = _nearest_faces(path, BOX_COLUMNS + LANDMARK_COLUMNS)
    for index, file in enumerate(files):
        if file in best:
            found[index] = np.reshape(best[file][1], (len(LANDMARKS), 2))
    return found


def _nearest_faces(
    path: Path, columns: tuple[str, ...]
) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """By file: the box nearest the picture's centre, and the values of the columns after those of the box."""
    best: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {}
    for row, record in read_rows(path, ("file", *columns)):
        values = tuple(_pixels(record, name, f"{path.name} row {row}") for name in columns)
        box, others = values[: len(BOX_COLUMNS)], values[len(BOX_COLUMNS) :]
        file = record["file"]
        if file not in best or _off_centre(box) < _off_centre(best[file][0]):
            best[file] = box, others
    return best


def detect_boxes(images: NDArray[np.uint8], tick: Tick = no_progress) -> NDArray[np.float32]:
    """The box (n, 4) of the face nearest the centre of each picture (n, h, w), by the detector.

    A picture without a detection gets the median box.
    """
    detector = Detector(detector_file())
    found: list[tuple[float, ...] | None] = []
    for image in images:
        seen = [tuple(box) for box in detector.detect(image).boxes.tolist()]
        found.append(min(seen, key=_off_centre, default=None))
        tick()
    return _fill_missing(found)


def _fill_missing(boxes: Sequence[tuple[float, ...] | None]) -> NDArray[np.float32]:
    median = np.median(np.array([box for box in boxes if box is not None] or [DEFAULT_BOX]), axis=0)
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
            f"{where} column {column}: {quote(text)}, expected a number{' above 0' * size} in pixels"
        )
    return value
