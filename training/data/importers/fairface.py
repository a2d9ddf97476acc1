"""FairFace: a label table, and the pictures that it names in an archive or in folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.datasets import FAIRFACE_SIDE, GENDERS, FairFace
from training.data.importers.boxes import detect_boxes, detector_file, read_boxes
from training.data.importers.cache import load_cached
from training.data.importers.paths import Tick, dataset_folder, missing_file, no_progress
from training.data.importers.picture_files import find_pictures, open_pictures, resize_square
from training.data.importers.tables import quote, read_rows
from training.errors import DatasetError

ARCHIVES = ("fairface.zip", "fairface-img-margin025-trainval.zip")
SPLITS = ("train", "val")


def load_fairface(data: Path, cache: Path | None, split: str, tick: Tick = no_progress) -> FairFace:
    """One split ("train" or "val") of FairFace from the folder `fairface` of a data folder.

    Raises DatasetError for a missing or malformed file.
    """
    folder = dataset_folder(data, "fairface")
    labels, table = folder / f"fairface_label_{split}.csv", folder / "face_boxes.csv"
    if not labels.is_file():
        raise missing_file(labels, "fairface")
    pictures, boxes = find_pictures(folder, *ARCHIVES), table if table.is_file() else None
    if pictures == folder and not (folder / split).is_dir():
        raise missing_file(folder / ARCHIVES[0], "fairface")
    return load_cached(
        FairFace,
        cache and cache / split,
        (pictures, labels, boxes or detector_file()),
        lambda: read_fairface(pictures, labels, boxes, tick),
    )


def read_fairface(source: Path, labels: Path, boxes: Path | None, tick: Tick = no_progress) -> FairFace:
    """Read the pictures that a FairFace label table names, each with the box nearest its centre.

    Boxes come from a table, in pixels of 96 x 96 pictures, or from Mien's own detector if there is no table.
    Larger pictures, as published, are reduced to 96 x 96.
    """
    images: list[NDArray[np.uint8]] = []
    rows: list[tuple[str, str, str, int]] = []
    with open_pictures(source) as pictures:
        for row, record in read_rows(labels, ("file", "age", "gender", "race")):
            where, file = f"{labels.name} row {row}", record["file"]
            gender = record["gender"].lower()
            if gender not in GENDERS:
                raise DatasetError(
                    f"{where} column gender: {quote(record['gender'])}, expected Female or Male"
                )
            if file not in pictures.names:
                raise DatasetError(f"{where} column file: {quote(file)} is not in {source.name}")
            images.append(resize_square(pictures.gray(file), FAIRFACE_SIDE, f"{source}: {file}"))
            rows.append((file, record["age"], record["race"], GENDERS.index(gender)))
            tick()
    stack = np.stack(images)
    files, ages, races, genders = zip(*rows, strict=True)
    return FairFace(
        stack,
        detect_boxes(stack, tick) if boxes is None else read_boxes(boxes, files),
        np.array(genders, np.int64),
        np.array(ages, np.str_),
        np.array(races, np.str_),
        np.array(files, np.str_),
    )
