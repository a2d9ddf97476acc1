"""UTKFace: pictures named `[age]_[gender]_[race]_[date and time].jpg`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from training.data.datasets import FAIRFACE_SIDE, GENDERS, UtkFace
from training.data.importers.boxes import detect_boxes, detector_file
from training.data.importers.cache import load_cached
from training.data.importers.paths import Tick, dataset_folder, missing_file, no_progress
from training.data.importers.picture_files import find_pictures, open_pictures, resize_square
from training.data.importers.tables import parse_number, quote
from training.errors import DatasetError

ARCHIVES = ("archive.zip", "UTKFace.zip", "utkface.zip")
OLDEST = 116
_GENDERS = ("male", "female")
_RACES = ("White", "Black", "Asian", "Indian", "Others")
"""In the order of UTKFace's numbers."""


class _Labels(NamedTuple):
    age: int
    gender: int
    race: str


def load_utkface(data: Path, cache: Path | None, tick: Tick = no_progress) -> UtkFace:
    """UTKFace, aligned and cropped, from the folder `utkface` of a data folder; raises DatasetError."""
    folder = dataset_folder(data, "utkface")
    source = find_pictures(folder, *ARCHIVES)
    return load_cached(UtkFace, cache, (source, detector_file()), lambda: read_utkface(source, tick))


def read_utkface(source: Path, tick: Tick = no_progress) -> UtkFace:
    """Read the pictures of a folder or archive, by file name, with the boxes that Mien's detector finds.

    Some published names lack a label: these pictures are left out and counted. Other labels must be valid.
    Kaggle's archive holds some pictures twice: each name is read once.
    """
    images, labels, files, unlabelled = [], [], [], 0
    with open_pictures(source) as pictures:
        for file, name in _unique_names(pictures.names):
            known = _parse_labels(file, f"{source}: {quote(name)}")
            if known is None:
                unlabelled += 1
                continue
            images.append(resize_square(pictures.gray(name), FAIRFACE_SIDE, f"{source}: {quote(name)}"))
            labels.append(known)
            files.append(file)
            tick()
    if not images:
        raise missing_file(source / "*.jpg", "utkface")
    stack = np.stack(images)
    return UtkFace(
        stack,
        detect_boxes(stack, tick),
        np.array([known.gender for known in labels], np.int64),
        np.array([known.age for known in labels], np.int64),
        np.array([known.race for known in labels], np.str_),
        np.array(files, np.str_),
        unlabelled,
    )


def _unique_names(names: Iterable[str]) -> list[tuple[str, str]]:
    """Sorted file names, each with its first path."""
    paths: dict[str, str] = {}
    for name in names:
        paths.setdefault(PurePosixPath(name).name, name)
    return sorted(paths.items())


def _parse_labels(file: str, where: str) -> _Labels | None:
    """The labels in a file name; None if one is missing."""
    fields = file.split("_")
    if not 3 <= len(fields) <= 4:
        raise DatasetError(f"{where}: {len(fields)} parts, expected [age]_[gender]_[race]_[time].jpg")
    if len(fields) == 3 or "" in fields[:3]:
        return None
    age = parse_number(fields[0], f"{where} age", OLDEST)
    gender = _GENDERS[parse_number(fields[1], f"{where} gender", len(_GENDERS) - 1)]
    race = _RACES[parse_number(fields[2], f"{where} race", len(_RACES) - 1)]
    return _Labels(age, GENDERS.index(gender), race)
