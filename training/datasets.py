"""The face data sets as arrays: FER2013 with its FER+ votes, and FairFace with its face boxes.

Importers read the files as they are published and refuse what does not fit with a `DatasetError`
that names file, row and column. Decoded arrays are kept as .npy files in a cache folder and mapped
into memory from there, so that a second start takes seconds.
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
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""The seven expressions in the order of FER2013's class numbers."""

GENDERS = ("female", "male")

FERPLUS_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)

FER_SIDE = 48
FAIRFACE_SIDE = 96
MIN_VOTES = 3
"""FER+ rows whose seven expressions keep fewer votes than this are not trained on."""

HELD_OUT_PARTS = 10
"""One part in this many of FairFace's training split is held out for figures."""


class DatasetError(Exception):
    """A data set file is missing or does not have the form that it should."""


@dataclass(frozen=True)
class Fer2013:
    """FER2013 rows with their FER+ votes, in file order.

    images (n, 48, 48) uint8; labels (n,) int64 index into EXPRESSIONS; usages (n,) str, one of
    Training, PublicTest, PrivateTest; votes (n, 10) int64 in the order of FERPLUS_COLUMNS.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    usages: NDArray[np.str_]
    votes: NDArray[np.int64]

    def part(self, usage: str) -> Fer2013:
        """The rows of one published split."""
        return self.rows(self.usages == usage)

    def rows(self, chosen: NDArray[Any]) -> Fer2013:
        """The chosen rows (mask or indices)."""
        return Fer2013(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class FairFace:
    """FairFace pictures with the box of their main face.

    images (n, 96, 96) uint8; boxes (n, 4) float32 x, y, w, h in pixels, which may reach outside the
    picture; genders (n,) int64 index into GENDERS; ages, races, files (n,) str.
    """

    images: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    genders: NDArray[np.int64]
    ages: NDArray[np.str_]
    races: NDArray[np.str_]
    files: NDArray[np.str_]

    def rows(self, chosen: NDArray[Any]) -> FairFace:
        """The chosen rows (mask or indices)."""
        return FairFace(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def held_out(self) -> NDArray[np.bool_]:
        """Which rows are kept out of training (n,) bool: by hash of the file name, for good."""
        digests = (hashlib.sha256(str(name).encode()).digest() for name in self.files)
        return np.array([int.from_bytes(d[:8]) % HELD_OUT_PARTS == 0 for d in digests], np.bool_)


Data = TypeVar("Data", Fer2013, FairFace)


def expression_votes(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """FER+ votes (n, 10) as votes for EXPRESSIONS (n, 7); lone votes are noise and become 0."""
    order = [FERPLUS_COLUMNS.index(name) for name in EXPRESSIONS]
    counts = votes[:, order]
    return np.where(counts > 1, counts, 0)


def usable(votes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows (n,) that FER+ raters took for a face with one of the seven expressions."""
    enough = expression_votes(votes).sum(axis=1) >= MIN_VOTES
    no_face = votes[:, FERPLUS_COLUMNS.index("NF")] > 1
    return enough & ~no_face


def expression_targets(data: Fer2013) -> NDArray[np.float32]:
    """Soft targets (n, 7): half the FER2013 label, half the distribution of FER+ votes.

    Call it on `usable` rows only: a row without votes would divide by zero.
    """
    counts = expression_votes(data.votes)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return (0.5 * np.eye(len(EXPRESSIONS))[data.labels] + 0.5 * shares).astype(np.float32)


def ferplus_strict(votes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows (n,) whose majority is one of the seven expressions, and that expression (n,).

    Lone votes are dropped; more than half of all that remain must agree.
    """
    kept = np.where(votes > 1, votes, 0)
    counts = expression_votes(votes)
    return counts.max(axis=1) * 2 > kept.sum(axis=1), counts.argmax(axis=1)


def ferplus_argmax(votes: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Rows (n,) where an expression beats contempt, unknown and NF, and that expression (n,)."""
    order = [FERPLUS_COLUMNS.index(name) for name in EXPRESSIONS]
    rest = [FERPLUS_COLUMNS.index(name) for name in ("contempt", "unknown", "NF")]
    counts = votes[:, order]
    return counts.max(axis=1) > votes[:, rest].max(axis=1), counts.argmax(axis=1)


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
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    if path.suffix == ".zip":
        with _opened_zip(path) as archive, archive.open(archive.namelist()[0]) as member:
            yield member
        return
    openers: dict[str, Callable[[Path], IO[bytes]]] = {".xz": lzma.open, ".gz": gzip.open}
    with openers.get(path.suffix, lambda p: p.open("rb"))(path) as stream:
        yield stream


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
