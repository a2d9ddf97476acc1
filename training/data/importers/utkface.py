"""UTKFace: pictures whose names say age, gender and race, `[age]_[gender]_[race]_[date and time].jpg`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from training.data.datasets import FAIRFACE_SIDE, GENDERS, UtkFace
from training.data.importers.boxes import detector_file, found_boxes
from training.data.importers.cache import cached
from training.data.importers.pictures import opened_pictures, picture_source, resized
from training.data.importers.places import Tick, dataset_folder, missing, silent
from training.data.importers.tables import number, shown
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


def load_utkface(data: Path, cache: Path | None, tick: Tick = silent) -> UtkFace:
    """UTKFace, aligned and cropped, from the folder `utkface` of a data folder; raises DatasetError."""
    folder = dataset_folder(data, "utkface")
    source = picture_source(folder, *ARCHIVES)
    return cached(UtkFace, cache, (source, detector_file()), lambda: read_utkface(source, tick))


def read_utkface(source: Path, tick: Tick = silent) -> UtkFace:
    """Read the pictures of a folder or archive, by file name, with the boxes that Mien's detector finds.

    Some published names lack a label: these pictures are left out and counted. A label that is there must
    make sense. Kaggle's archive holds some pictures twice: each name counts once.
    """
    images, labels, files, unlabelled = [], [], [], 0
    with opened_pictures(source) as pictures:
        for file, name in _once(pictures.names):
            known = _labels(file, f"{source}: {shown(name)}")
            if known is None:
                unlabelled += 1
                continue
            images.append(resized(pictures.gray(name), FAIRFACE_SIDE, f"{source}: {shown(name)}"))
            labels.append(known)
            files.append(file)
            tick()
    if not images:
        raise missing(source / "*.jpg", "utkface")
    stack = np.stack(images)
    return UtkFace(
        stack,
        found_boxes(stack, tick),
        np.array([known.gender for known in labels], np.int64),
        np.array([known.age for known in labels], np.int64),
        np.array([known.race for known in labels], np.str_),
        np.array(files, np.str_),
        unlabelled,
    )


def _once(names: Iterable[str]) -> list[tuple[str, str]]:
    """File names in order, each with the first of the paths that end in it."""
    paths: dict[str, str] = {}
    for name in names:
        paths.setdefault(PurePosixPath(name).name, name)
    return sorted(paths.items())


def _labels(file: str, where: str) -> _Labels | None:
    """What a file name says, or None where it leaves a label out."""
    fields = file.split("_")
    if not 3 <= len(fields) <= 4:
        raise DatasetError(f"{where}: {len(fields)} parts, expected [age]_[gender]_[race]_[time].jpg")
    if len(fields) == 3 or "" in fields[:3]:
        return None
    age = number(fields[0], f"{where} age", OLDEST)
    gender = _GENDERS[number(fields[1], f"{where} gender", len(_GENDERS) - 1)]
    race = _RACES[number(fields[2], f"{where} race", len(_RACES) - 1)]
    return _Labels(age, GENDERS.index(gender), race)
