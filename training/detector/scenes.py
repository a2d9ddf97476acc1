"""The detector's photographs with their faces, and the split into train, validation and test.

Read from the data folder: `scenes/scenes.zip`, `backgrounds/grocery.zip`, `fairface/fairface.zip`
and the `face_boxes.csv` beside the first and the last. All raise DatasetError for a folder that is not there
or a picture that is damaged.
"""

import csv
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.importers import dataset_folder
from training.errors import DatasetError

Part = Literal["train", "validation", "test"]

SURE = 0.65
"""YuNet's score from which a marked face counts as one; below it the place is ignored."""
TEST_PERCENT = 20
VALIDATION_PERCENT = 8


@dataclass(frozen=True)
class Scene:
    """A grey photograph (h, w) uint8, its marked faces (n, 4) x y w h in pixels, which are sure (n,)."""

    name: str
    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    sure: NDArray[np.bool_]


def part_of(name: str) -> Part:
    """The part a file belongs to, by a hash of its name: the same for ever, on every machine."""
    percent = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100
    if percent < TEST_PERCENT:
        return "test"
    return "validation" if percent < TEST_PERCENT + VALIDATION_PERCENT else "train"


def load_scenes(data: Path, part: Part) -> list[Scene]:
    """The photographs of everyday things, sports and surveillance, with the faces in them."""
    folder = dataset_folder(data, "scenes")
    marked = _marked_faces(folder / "face_boxes.csv")
    return list(_scenes(folder / "scenes.zip", marked, lambda name: part_of(name) == part))


def load_groceries(data: Path, part: Part) -> list[Scene]:
    """The photographs of goods in shops: no face in any of them."""
    archive = dataset_folder(data, "backgrounds") / "grocery.zip"
    return list(_scenes(archive, {}, lambda name: part_of(name) == part))


def load_portraits(data: Path) -> list[Scene]:
    """FairFace's training pictures (96x96) in which YuNet is sure of exactly one face."""
    folder = dataset_folder(data, "fairface")
    marked = _marked_faces(folder / "face_boxes.csv")
    wanted = {
        name
        for name, faces in marked.items()
        if name.startswith("train/") and len(faces) == 1 and faces[0][0] > SURE
    }
    return list(_scenes(folder / "fairface.zip", marked, wanted.__contains__))


def _marked_faces(path: Path) -> dict[str, list[tuple[float, ...]]]:
    faces: dict[str, list[tuple[float, ...]]] = {}
    with path.open(newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                face = tuple(float(row[key]) for key in ("score", "x", "y", "w", "h"))
                faces.setdefault(row["file"], []).append(face)
            except (KeyError, ValueError, TypeError) as error:
                raise DatasetError(
                    f"{path} row {number}: {error}, expected file and the numbers score, x, y, w, h"
                ) from error
    return faces


def _scenes(
    path: Path, marked: dict[str, list[tuple[float, ...]]], wanted: Callable[[str], bool]
) -> Iterator[Scene]:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{path}: {error}") from error
    with archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".jpg") or not wanted(name):
                continue
            pixels = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
            if pixels is None:
                raise DatasetError(f"{path}: {name} is no picture that can be decoded")
            faces = np.array(marked.get(name, []), np.float32).reshape(-1, 5)
            yield Scene(name, np.asarray(pixels, np.uint8), faces[:, 1:], faces[:, 0] > SURE)
