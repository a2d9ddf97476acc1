"""Tables: CSV files, plain or compressed, row by row."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from training.errors import DatasetError

Row = tuple[int, dict[str, str]]
"""A row's number as an editor shows it (header = 1), and its fields by column."""

DAMAGE = (
    csv.Error,
    EOFError,
    OSError,
    UnicodeDecodeError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
    # What zipfile raises for a member that is encrypted, or packed in a way that it does not know.
    RuntimeError,
    NotImplementedError,
)
"""What reading a file that is cut off, altered or something else than its name says may raise."""


def records(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a table that must have these columns, and may have more.

    Raises DatasetError for a column that is missing, a row of another length, damage, and a table without
    rows.
    """
    row = 1
    with _opened(path) as binary:
        reader = csv.DictReader(io.TextIOWrapper(binary, encoding="utf-8-sig", newline=""))
        try:
            header = list(reader.fieldnames or ())
            lacking = [name for name in columns if name not in header]
            if lacking:
                raise DatasetError(f"{path}: no column {', '.join(lacking)}; found {header}")
            for record in reader:
                row = reader.line_num
                _check_length(record, header, f"{path.name} row {row}")
                yield row, record
        except DAMAGE as error:
            raise DatasetError(f"{path.name}: damaged after row {row}: {error}") from error
    if row == 1:
        raise DatasetError(f"{path}: no rows below its header")


def number(text: str, where: str, highest: int) -> int:
    """A whole number from 0 to `highest`; raises DatasetError that begins with `where`."""
    # Digits are counted first: int() refuses what has thousands of them.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= highest):
        raise DatasetError(f"{where}: {shown(text)}, expected a whole number from 0 to {highest}")
    return int(text)


def shown(text: str) -> str:
    """A field as an error shows it: quoted, in one line, and not the whole of a long one."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _check_length(record: dict[str, str], header: list[str], where: str) -> None:
    # DictReader files what is too much under None and gives None for what is missing.
    extra: list[str] = record.get(None, [])  # type: ignore[call-overload]
    found = sum(value is not None for name, value in record.items() if name is not None) + len(extra)
    if found != len(header):
        raise DatasetError(f"{where}: {found} columns, expected {len(header)}")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | lzma.LZMAFile | gzip.GzipFile]:
    if path.suffix == ".zip":
        with opened_zip(path) as archive, archive.open(_only_table(archive, path)) as member:
            yield member
    elif path.suffix == ".xz":
        with lzma.open(path) as stream:
            yield stream
    elif path.suffix == ".gz":
        with gzip.open(path) as unzipped:
            yield unzipped
    else:
        with path.open("rb") as plain:
            yield plain


def _only_table(archive: zipfile.ZipFile, path: Path) -> str:
    names = [name for name in archive.namelist() if name.endswith(".csv") and "__MACOSX" not in name]
    if len(names) != 1:
        raise DatasetError(f"{path}: {len(names)} CSV files in it, expected 1")
    return names[0]


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive; raises DatasetError where it is none."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DatasetError(f"{path}: {error}") from error
    with archive:
        yield archive
