"""YOLO: one text file per picture, next to it or in `labels/`, one line `class x y width height` per face.

x and y are the centre; all four are shares of the picture's sides. Every line is a face, whatever its class.
"""

from __future__ import annotations

from pathlib import Path

from training.data.importers.faces.marked import LabelledBox, parse_number, read_lines
from training.data.importers.tables import quote
from training.errors import DatasetError

_COLUMNS = ("class", "x", "y", "width", "height")


def read_yolo(table: Path, height: int, width: int) -> list[LabelledBox]:
    """The faces of a picture of that size; raises DatasetError."""
    return [
        _face(line.split(), f"{table} line {row}", height, width)
        for row, line in enumerate(read_lines(table), start=1)
        if line.strip()
    ]


def _face(fields: list[str], where: str, height: int, width: int) -> LabelledBox:
    if len(fields) != len(_COLUMNS):
        raise DatasetError(f"{where}: {len(fields)} numbers, expected {len(_COLUMNS)}: {' '.join(_COLUMNS)}")
    shares = [
        parse_number(field, where, column) for field, column in zip(fields[1:], _COLUMNS[1:], strict=True)
    ]
    for field, column, share in zip(fields[1:], _COLUMNS[1:], shares, strict=True):
        if not 0 <= share <= 1 or (share == 0 and column in ("width", "height")):
            raise DatasetError(
                f"{where}: {column} is {quote(field)}, expected a share of the picture, 0 to 1"
            )
    x, y, w, h = shares[0] * width, shares[1] * height, shares[2] * width, shares[3] * height
    return LabelledBox(x - w / 2, y - h / 2, w, h)
