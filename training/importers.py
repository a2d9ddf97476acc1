"""Readers of the data sets' published files.

They refuse what does not fit with a `DatasetError` that names file, row and column. Decoded arrays
are kept as .npy files in a cache folder and mapped into memory from there, so that a second start
takes seconds.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import lzma
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from training.datasets import (
    EXPRESSIONS,
    FAIRFACE_SIDE,
    FER_SIDE,
    FERPLUS_COLUMNS,
    GENDERS,
    FairFace,
    Fer2013,
)
from training.errors import DatasetError

Data = TypeVar("Data", Fer2013, FairFace)


def load_fer2013(data: Path, cache: Path) -> Fer2013:
    """FER2013 and FER+ from the folder `fer2013` of a data folder.

    Raises DatasetError for a missing or malformed file.
    """
    folder = dataset_folder(data, "fer2013")
    names = ("fer2013.csv", "fer2013.csv.xz", "fer2013.csv.gz", "fer2013.csv.zip")
    pixels = next((folder / name for name in names if (folder / name).is_file()), None)
    if pixels is None:
        raise DatasetError(f"{folder}: none of {', '.join(names)} is there")
    votes = folder / "fer2013new.csv"
    return _cached(Fer2013, cache, (pixels, votes), lambda: read_fer2013(pixels, votes))


def load_fairface(data: Path, cache: Path, split: str) -> FairFace:
    """One split ("train" or "val") of FairFace from the folder `fairface` of a data folder.

    Raises DatasetError for a missing or malformed file.
    """
    folder = dataset_folder(data, "fairface")
    sources = (
        folder / "fairface.zip",
        folder / f"fairface_label_{split}.csv",
        folder / "face_boxes.csv",
    )
    return _cached(FairFace, cache / split, sources, lambda: read_fairface(*sources))


def dataset_folder(data: Path, name: str) -> Path:
    """The folder of one data set below a data folder, directly or in its `datasets`."""
    for folder in (data / name, data / "datasets" / name):
        if folder.is_dir():
            return folder
    raise DatasetError(f"{data}: no folder {name} or datasets/{name} in it; pass --data DIR")


def read_fer2013(pixels: Path, votes: Path) -> Fer2013:
    """Read `emotion,pixels,Usage` rows and, row for row, their FER+ votes."""
    images: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    usages: list[str] = []
    for row, record in _records(pixels, ("emotion", "pixels", "Usage")):
        where = f"{pixels.name} row {row}"
        labels.append(_number(record["emotion"], f"{where} column emotion", len(EXPRESSIONS) - 1))
        images.append(_pixels(record["pixels"], where))
        usage = record["Usage"]
        if usage not in ("Training", "PublicTest", "PrivateTest"):
            raise DatasetError(
                f"{where} column Usage: {usage!r}, expected Training, PublicTest or PrivateTest"
            )
        usages.append(usage)
    counts = [
        [_number(record[c], f"{votes.name} row {row} column {c}", 100) for c in FERPLUS_COLUMNS]
        for row, record in _records(votes, FERPLUS_COLUMNS)
    ]
    if len(counts) != len(images):
        raise DatasetError(f"{votes.name}: {len(counts)} rows, expected {len(images)} as in {pixels.name}")
    return Fer2013(
        np.array(images, np.uint8).reshape(-1, FER_SIDE, FER_SIDE),
        np.array(labels, np.int64),
        np.array(usages, np.str_),
        np.array(counts, np.int64).reshape(-1, len(FERPLUS_COLUMNS)),
    )


def read_fairface(archive: Path, labels: Path, boxes: Path) -> FairFace:
    """Read the pictures that a FairFace label file names, each with the box nearest its centre.

    A picture in which the detector found no face takes the median box: leaving it out would make
    the figures look better than they are.
    """
    found = _central_boxes(boxes)
    images: list[NDArray[np.uint8]] = []
    rows: list[tuple[str, str, str, int]] = []
    with _opened_zip(archive) as pictures:
        for row, record in _records(labels, ("file", "age", "gender", "race")):
            where = f"{labels.name} row {row}"
            gender = record["gender"].lower()
            if gender not in GENDERS:
                raise DatasetError(f"{where} column gender: {gender!r}, expected Female or Male")
            images.append(_picture(pictures, archive, record["file"], where))
            rows.append((record["file"], record["age"], record["race"], GENDERS.index(gender)))
    median = np.median(np.array(list(found.values()) or [(12, -8, 72, 92)]), axis=0)
    files, ages, races, genders = zip(*rows, strict=True) if rows else ((), (), (), ())
    return FairFace(
        np.array(images, np.uint8).reshape(-1, FAIRFACE_SIDE, FAIRFACE_SIDE),
        np.array([found.get(file, median) for file in files], np.float32).reshape(-1, 4),
        np.array(genders, np.int64),
        np.array(ages, np.str_),
        np.array(races, np.str_),
        np.array(files, np.str_),
    )


def _central_boxes(path: Path) -> dict[str, tuple[float, ...]]:
    best: dict[str, tuple[float, tuple[float, ...]]] = {}
    for row, record in _records(path, ("file", "x", "y", "w", "h")):
        try:
            box = tuple(float(record[name]) for name in ("x", "y", "w", "h"))
        except ValueError as error:
            raise DatasetError(f"{path.name} row {row}: {error}") from error
        x, y, w, h = box
        distance = np.hypot(x + w / 2 - FAIRFACE_SIDE / 2, y + h / 2 - FAIRFACE_SIDE / 2)
        if record["file"] not in best or distance < best[record["file"]][0]:
            best[record["file"]] = (float(distance), box)
    return {file: box for file, (_, box) in best.items()}


def _picture(pictures: zipfile.ZipFile, archive: Path, name: str, where: str) -> NDArray[np.uint8]:
    try:
        data = pictures.read(name)
    except KeyError:
        raise DatasetError(f"{where} column file: {name} is not in {archive.name}") from None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None or image.shape != (FAIRFACE_SIDE, FAIRFACE_SIDE):
        shape = None if image is None else image.shape
        raise DatasetError(f"{archive.name}: {name} has shape {shape}, expected (96, 96)")
    return np.asarray(image, np.uint8)


def _pixels(text: str, where: str) -> NDArray[np.uint8]:
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise DatasetError(f"{where} column pixels: {error}") from error
    if values.size != FER_SIDE**2 or values.min() < 0 or values.max() > 255:
        raise DatasetError(
            f"{where} column pixels: {values.size} values, expected {FER_SIDE**2} from 0 to 255"
        )
    return values.astype(np.uint8)


def _number(text: str, where: str, highest: int) -> int:
    if not text.isdecimal() or int(text) > highest:
        raise DatasetError(f"{where}: {text!r}, expected a whole number from 0 to {highest}")
    return int(text)


def _records(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file, plain or compressed, numbered as an editor shows them (header = 1)."""
    with _opened(path) as binary:
        reader = csv.DictReader(io.TextIOWrapper(binary, encoding="utf-8", newline=""))
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise DatasetError(f"{path}: no column {', '.join(missing)}; found {reader.fieldnames}")
        for row, record in enumerate(reader, start=2):
            if None in record.values() or None in record:
                raise DatasetError(f"{path.name} row {row}: not {len(record)} columns")
            yield row, record


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | lzma.LZMAFile | gzip.GzipFile]:
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    if path.suffix == ".zip":
        with _opened_zip(path) as archive, archive.open(archive.namelist()[0]) as member:
            yield member
        return
    if path.suffix == ".xz":
        with lzma.open(path) as stream:
            yield stream
    elif path.suffix == ".gz":
        with gzip.open(path) as unzipped:
            yield unzipped
    else:
        with path.open("rb") as plain:
            yield plain


@contextmanager
def _opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: {error}") from error
    with archive:
        yield archive


def _cached(kind: type[Data], cache: Path, sources: tuple[Path, ...], read: Callable[[], Data]) -> Data:
    """The arrays of `read()`, from the cache while the source files are the same."""
    for source in sources:
        if not source.is_file():
            raise DatasetError(f"{source}: no such file")
    state = [f"{s.resolve()} {s.stat().st_size} {s.stat().st_mtime_ns}" for s in sources]
    key = hashlib.sha256("\n".join(state).encode()).hexdigest()[:12]
    folder = cache / f"{kind.__name__.lower()}-{key}"
    if not folder.is_dir():
        data = read()
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for field in fields(kind):
            np.save(partial / f"{field.name}.npy", getattr(data, field.name), allow_pickle=False)
        partial.rename(folder)
    return kind(*(np.load(folder / f"{f.name}.npy", mmap_mode="r") for f in fields(kind)))
