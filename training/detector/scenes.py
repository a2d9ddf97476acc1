"""The detector's photographs with their faces, and the split into train, validation and test.

Read from the data folder: `scenes/scenes.zip`, `backgrounds/grocery.zip`, `fairface/fairface.zip`
and the `face_boxes.csv` in the folders of the first and the last. All raise DatasetError for a missing folder
or a picture that is damaged.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.importers import dataset_folder
from training.data.importers.faces import load_marked
from training.data.importers.tables import open_zip
from training.detector.repeats import find_repeats
from training.errors import DatasetError

Part = Literal["train", "validation", "test"]

SURE = 0.65
"""Score in the table from which a marked face counts as one; below it the place is ignored."""
KINDS = {
    "objects": "things and animals",
    "sports": "sports",
    "cctv": "surveillance views",
    "masks": "people with and without masks",
    "crowds": "crowds",
}
"""The folders of the scenes, and what they show."""
TEST_PERCENT = 20
VALIDATION_PERCENT = 8


@dataclass(frozen=True)
class Scene:
    """A grey photograph with the faces marked in it.

    Attributes:
        pixels: (h, w) uint8.
        boxes: marked faces (n, 4) float32, x y w h in pixels.
        sure: which of them are certainly faces (n,) bool; only these count in evaluation.
        scores: what training asks for at each (n,) float32, 0 to 1; not a number where nothing is asked.
    """

    name: str
    pixels: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    sure: NDArray[np.bool_]
    scores: NDArray[np.float32]


def part_of(name: str) -> Part:
    """The part a file belongs to, by a hash of its name: the same for ever, on every machine."""
    percent = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 100
    if percent < TEST_PERCENT:
        return "test"
    return "validation" if percent < TEST_PERCENT + VALIDATION_PERCENT else "train"


def load_scenes(data: Path, part: Part) -> list[Scene]:
    """The photographs of everyday objects, sports, crowds, masks and surveillance, with their faces.

    The part `train` lacks those that repeat one of another part; see `training.detector.repeats`.
    """
    folder = dataset_folder(data, "scenes")
    marked = marked_faces(folder / "face_boxes.csv")
    found = list(_scenes(folder / "scenes.zip", marked, lambda name: part_of(name) == part))
    return found if part != "train" else _without_repeats(found, data)


def load_groceries(data: Path, part: Part) -> list[Scene]:
    """The photographs of goods in shops: no face in any of them."""
    archive = dataset_folder(data, "backgrounds") / "grocery.zip"
    return list(_scenes(archive, {}, lambda name: part_of(name) == part))


def load_portraits(data: Path) -> list[Scene]:
    """FairFace's training pictures (96x96) in which YuNet is sure of exactly one face."""
    folder = dataset_folder(data, "fairface")
    marked = marked_faces(folder / "face_boxes.csv")
    wanted = {
        name
        for name, faces in marked.items()
        if name.startswith("train/") and len(faces) == 1 and faces[0][0] > SURE
    }
    return list(_scenes(folder / "fairface.zip", marked, wanted.__contains__))


def load_further(folder: Path, data: Path) -> list[Scene]:
    """Photographs with boxes in the format of WIDER FACE, Pascal VOC or YOLO, for training.

    The scenes are taken from such sets: a photograph that has the name of one that is held out for validation
    or test, or repeats one, is left out. Names begin with that of the folder. Raises DatasetError.
    """
    held_out = {
        PurePosixPath(name).stem
        for name in _names(dataset_folder(data, "scenes") / "scenes.zip")
        if part_of(name) != "train"
    }
    found = []
    for each in load_marked(folder):
        if PurePosixPath(each.name).stem not in held_out:
            scores = np.where(each.sure, 1.0, np.nan).astype(np.float32)
            name = f"{folder_name(folder)}/{each.name}"
            found.append(Scene(name, each.pixels, each.boxes, each.sure, scores))
    return _without_repeats(found, data)


def folder_name(folder: Path) -> str:
    """The name of a folder of further photographs, with which the names of these begin; `.` has one, too."""
    return folder.name if folder.name not in {"", ".."} else folder.resolve().name


def check_folders(folders: Sequence[Path]) -> None:
    """Raise DatasetError for folders of the same name: their photographs could not be told apart."""
    names = [folder_name(folder) for folder in folders]
    if len(set(names)) < len(names):
        given = ", ".join(map(str, folders))
        raise DatasetError(f"photographs: {given}, expected folders of different names")


def has_labels_of(seen: Iterable[str], folder: Path) -> bool:
    """Whether a teacher's table, with these photographs, has any of a folder of further photographs."""
    return any(name.startswith(f"{folder_name(folder)}/") for name in seen)


def without_faces(scene: Scene) -> Scene:
    """The photograph with nothing marked in it."""
    return replace(scene, boxes=scene.boxes[:0], sure=scene.sure[:0], scores=scene.scores[:0])


def face_sources(data: Path) -> dict[str, list[str]]:
    """The source of each face's label, in the order of the boxes; empty where it is unknown."""
    sources: dict[str, list[str]] = {}
    with (dataset_folder(data, "scenes") / "face_boxes.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            sources.setdefault(row["file"], []).append(row.get("source") or "")
    return sources


def marked_faces(path: Path) -> dict[str, list[tuple[float, ...]]]:
    """Score, x, y, w, h of the faces by file, from a table with these columns; raises DatasetError."""
    if not path.is_file():
        raise DatasetError(f"{path}: no such table; `mien train detector label` writes it")
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


def _without_repeats(found: list[Scene], data: Path) -> list[Scene]:
    held_out = _scenes(
        dataset_folder(data, "scenes") / "scenes.zip", {}, lambda name: part_of(name) != "train"
    )
    repeats = find_repeats([each.pixels for each in found], [each.pixels for each in held_out])
    return [each for each, is_repeat in zip(found, repeats, strict=True) if not is_repeat]


def _scenes(
    path: Path, marked: dict[str, list[tuple[float, ...]]], wanted: Callable[[str], bool]
) -> Iterator[Scene]:
    with open_zip(path) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".jpg") or not wanted(name):
                continue
            pixels = cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_GRAYSCALE)
            if pixels is None:
                raise DatasetError(f"{path}: {name} is no picture that can be decoded")
            faces = np.array(marked.get(name, []), np.float32).reshape(-1, 5)
            sure = faces[:, 0] > SURE
            scores = np.where(sure, 1.0, np.nan).astype(np.float32)
            yield Scene(name, np.asarray(pixels, np.uint8), faces[:, 1:], sure, scores)


def _names(path: Path) -> list[str]:
    with open_zip(path) as archive:
        return archive.namelist()
