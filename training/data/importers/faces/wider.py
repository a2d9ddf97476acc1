"""WIDER FACE: one text file with the faces of all pictures, `wider_face_train_bbx_gt.txt`.

A picture's path, the number of its faces, then a line of ten numbers for each:
`x y w h blur expression illumination invalid occlusion pose`. A picture without faces has the number 0 and
one line of zeros, or none. Faces that are marked as invalid, or have no area, are ignored in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.data.importers.faces.marked import LabelledBox, parse_number, read_lines
from training.data.importers.tables import parse_number as whole_number
from training.data.importers.tables import quote
from training.errors import DatasetError

TABLE = "wider_face_train_bbx_gt.txt"
_COLUMNS = ("x", "y", "w", "h", "blur", "expression", "illumination", "invalid", "occlusion", "pose")
_MOST_FACES = 10_000


def read_wider(table: Path) -> Iterator[tuple[str, list[LabelledBox], str]]:
    """Each picture's path, its faces, and where the table names it; raises DatasetError."""
    lines = read_lines(table)
    at = 0
    while at < len(lines):
        where, picture = f"{table.name} line {at + 1}", lines[at].strip()
        if not picture.lower().endswith((".jpg", ".jpeg", ".png")):
            raise DatasetError(f"{where}: {quote(picture)}, expected the path of a picture")
        if at + 1 == len(lines):
            raise DatasetError(f"{where}: the table ends after {quote(picture)}, expected a number of faces")
        count = whole_number(lines[at + 1].strip(), f"{table.name} line {at + 2}", _MOST_FACES)
        first = at + 2
        if first + count > len(lines):
            raise DatasetError(
                f"{where}: {count} faces announced, {len(lines) - first} lines follow; the table is cut off"
            )
        yield (
            picture,
            [_face(lines[row], f"{table.name} line {row + 1}") for row in range(first, first + count)],
            where,
        )
        at = first + count
        if count == 0 and at < len(lines) and not any(character not in "0 " for character in lines[at]):
            at += 1


def _face(line: str, where: str) -> LabelledBox:
    fields = line.split()
    if len(fields) != len(_COLUMNS):
        raise DatasetError(f"{where}: {len(fields)} numbers, expected {len(_COLUMNS)}: {' '.join(_COLUMNS)}")
    values = dict(
        zip(_COLUMNS, (parse_number(f, where, c) for f, c in zip(fields, _COLUMNS, strict=True)), strict=True)
    )
    valid = values["invalid"] == 0 and values["w"] > 0 and values["h"] > 0
    return LabelledBox(values["x"], values["y"], max(values["w"], 1.0), max(values["h"], 1.0), valid)
