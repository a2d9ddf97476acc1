"""FER2013 as Kaggle's table, with the FER+ votes row for row beside it; without the table, image folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.datasets import EXPRESSIONS, FER_SIDE, FERPLUS_COLUMNS, Fer2013
from training.data.importers.cache import cached
from training.data.importers.folders import find_folders, read_folders
from training.data.importers.places import Tick, dataset_folder, missing, silent
from training.data.importers.tables import number, records, shown
from training.errors import DatasetError

TABLES = ("fer2013.csv", "fer2013.csv.xz", "fer2013.csv.gz", "fer2013.csv.zip")
VOTES = "fer2013new.csv"
USAGES = ("Training", "PublicTest", "PrivateTest")


def load_fer2013(data: Path, cache: Path | None, tick: Tick = silent) -> Fer2013:
    """FER2013 and FER+ from the folder `fer2013` of a data folder.

    Where there is no table, image folders serve, without votes (see `training.data.importers.folders`). Raises
    DatasetError for a missing or malformed file.
    """
    folder = dataset_folder(data, "fer2013")
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None:
        pictures = find_folders(folder)
        if pictures is None:
            raise missing(folder / TABLES[0], "fer2013")
        return cached(Fer2013, cache, (pictures,), lambda: read_folders(pictures, tick))
    votes = folder / VOTES
    if not votes.is_file():
        raise missing(votes, "ferplus")
    return cached(Fer2013, cache, (table, votes), lambda: read_fer2013(table, votes, tick))


def read_fer2013(table: Path, votes: Path, tick: Tick = silent) -> Fer2013:
    """Read `emotion,pixels,Usage` rows and, row for row, their FER+ votes."""
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    usages: list[str] = []
    for row, record in records(table, ("emotion", "pixels", "Usage")):
        where = f"{table.name} row {row}"
        labels.append(number(record["emotion"], f"{where} column emotion", len(EXPRESSIONS) - 1))
        images.append(_pixels(record["pixels"], f"{where} column pixels"))
        usages.append(_usage(record["Usage"], f"{where} column Usage"))
        tick()
    counts = [
        [number(record[name], f"{votes.name} row {row} column {name}", 100) for name in FERPLUS_COLUMNS]
        for row, record in records(votes, FERPLUS_COLUMNS)
    ]
    if len(counts) != len(images):
        raise DatasetError(f"{votes.name}: {len(counts)} rows, expected {len(images)} as in {table.name}")
    return Fer2013(
        np.stack(images), np.array(labels, np.int64), np.array(usages, np.str_), np.array(counts, np.int64)
    )


def _usage(text: str, where: str) -> str:
    if text not in USAGES:
        raise DatasetError(f"{where}: {shown(text)}, expected Training, PublicTest or PrivateTest")
    return text


def _pixels(text: str, where: str) -> NDArray[np.uint8]:
    try:
        values = np.array(text.split(), np.int64)
    except (ValueError, OverflowError) as error:
        raise DatasetError(f"{where}: {error}, expected {FER_SIDE**2} numbers from 0 to 255") from error
    if values.size != FER_SIDE**2:
        raise DatasetError(f"{where}: {values.size} values, expected {FER_SIDE**2} from 0 to 255")
    outside = values[(values < 0) | (values > 255)]
    if outside.size:
        raise DatasetError(f"{where}: the value {outside[0]}, expected {FER_SIDE**2} from 0 to 255")
    return values.astype(np.uint8).reshape(FER_SIDE, FER_SIDE)
