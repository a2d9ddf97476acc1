"""FairFace: a label table and an archive, or folders, of the pictures that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.datasets import FAIRFACE_SIDE, GENDERS, FairFace
from training.data.importers.boxes import boxes_from_table, detector_file, found_boxes
from training.data.importers.cache import cached
from training.data.importers.pictures import opened_pictures, picture_source, resized
from training.data.importers.places import Tick, dataset_folder, missing, silent
from training.data.importers.tables import records, shown
from training.errors import DatasetError

ARCHIVES = ("fairface.zip", "fairface-img-margin025-trainval.zip")
SPLITS = ("train", "val")


def load_fairface(data: Path, cache: Path | None, split: str, tick: Tick = silent) -> FairFace:
    """One split ("train" or "val") of FairFace from the folder `fairface` of a data folder.

    Raises DatasetError for a missing or malformed file.
    """
    folder = dataset_folder(data, "fairface")
    labels, table = folder / f"fairface_label_{split}.csv", folder / "face_boxes.csv"
    if not labels.is_file():
        raise missing(labels, "fairface")
    pictures, boxes = picture_source(folder, *ARCHIVES), table if table.is_file() else None
    if pictures == folder and not (folder / split).is_dir():
        raise missing(folder / ARCHIVES[0], "fairface")
    return cached(
        FairFace,
        cache and cache / split,
        (pictures, labels, boxes or detector_file()),
        lambda: read_fairface(pictures, labels, boxes, tick),
    )


def read_fairface(source: Path, labels: Path, boxes: Path | None, tick: Tick = silent) -> FairFace:
    """Read the pictures that a FairFace label table names, each with the box nearest its centre.

    Boxes come from a table, in pixels of pictures of 96 x 96, or from Mien's own detector where there is
    none. Larger pictures, as they are published, are made as small.
    """
    images: list[NDArray[np.uint8]] = []
    rows: list[tuple[str, str, str, int]] = []
    with opened_pictures(source) as pictures:
        for row, record in records(labels, ("file", "age", "gender", "race")):
            where, file = f"{labels.name} row {row}", record["file"]
            gender = record["gender"].lower()
            if gender not in GENDERS:
                raise DatasetError(
                    f"{where} column gender: {shown(record['gender'])}, expected Female or Male"
                )
            if file not in pictures.names:
                raise DatasetError(f"{where} column file: {shown(file)} is not in {source.name}")
            images.append(resized(pictures.gray(file), FAIRFACE_SIDE, f"{source}: {file}"))
            rows.append((file, record["age"], record["race"], GENDERS.index(gender)))
            tick()
    stack = np.stack(images)
    files, ages, races, genders = zip(*rows, strict=True)
    return FairFace(
        stack,
        found_boxes(stack, tick) if boxes is None else boxes_from_table(boxes, files),
        np.array(genders, np.int64),
        np.array(ages, np.str_),
        np.array(races, np.str_),
        np.array(files, np.str_),
    )
