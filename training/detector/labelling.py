"""What the teacher sees in the photographs of the training part, as a table that training reads."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from training.detector.scenes import check_folders, load_further, load_groceries, load_scenes
from training.detector.teacher import Teacher

COLUMNS = ("file", "score", "x", "y", "w", "h")
LOWEST = 0.05
"""Places that the teacher scores lower are left out: it takes them for background."""


def label(teacher: Teacher, data: Path, table: Path, further: Sequence[Path] = ()) -> int:
    """Write everything that the teacher sees in the training part; returns how many places these are.

    The table is a CSV file with `COLUMNS`; boxes are in pixels of the photograph. Scenes come first, then
    photographs of goods, where every place is a mistake of the teacher, then those of the folders `further`.
    Creates the table's folder. Raises DatasetError for a data folder that lacks them, and for folders of the
    same name.
    """
    check_folders(further)
    table.parent.mkdir(parents=True, exist_ok=True)
    photographs = load_scenes(data, "train") + load_groceries(data, "train")
    for folder in further:
        photographs += load_further(folder, data)
    count = 0
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for scene in track(photographs, "photographs", transient=True):
            found = teacher.detect(scene.pixels, LOWEST)
            for score, box in zip(found.scores.tolist(), found.boxes.tolist(), strict=True):
                writer.writerow((scene.name, f"{score:.3f}", *(f"{number:.1f}" for number in box)))
            count += len(found)
    return count
