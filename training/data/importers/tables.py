"""CSV tables, plain or compressed, read row by row."""

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
"""A row's line number (header = 1), and its fields by column."""

DAMAGE_ERRORS = (
    csv.Error,
    EOFError,
    OSError,
    UnicodeDecodeError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
    # zipfile raises these for encrypted members and unknown compression methods.
    RuntimeError,
    NotImplementedError,
)
"""Errors when reading a truncated, damaged or wrongly named file."""


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Read the rows of a table with at least these columns.

    Raises DatasetError for a missing column, a row of another length, damage, and a table without rows.
    """
    row = 1
    with _open_table(path) as binary:
        reader = csv.DictReader(io.TextIOWrapper(binary, encoding="utf-8-sig", newline=""))
        try:
            header = list(reader.fieldnames or ())
            missing = [name for name in columns if name not in header]
            if missing:
                raise DatasetError(f"{path}: no column {', '.join(missing)}; found {header}")
            for record in reader:
                row = reader.line_num
                _check_length(record, header, f"{path.name} row {row}")
                yield row, record
        except DAMAGE_ERRORS as error:
            raise DatasetError(f"{path.name}: damaged after row {row}: {error}") from error
    if row == 1:
        raise DatasetError(f"{path}: no rows below its header")


def parse_number(text: str, where: str, highest: int) -> int:
    """Parse a whole number from 0 to `highest`; raises a DatasetError that begins with `where`."""
    # The length is checked first: int() refuses thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= highest):
        raise DatasetError(f"{where}: {quote(text)}, expected a whole number from 0 to {highest}")
    return int(text)


def quote(text: str) -> str:
    """Quote a field for an error message, on one line, shortened to 40 characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _check_length(record: dict[str, str], header: list[str], where: str) -> None:
    # DictReader stores extra fields under None, and None for missing ones.
    extra: list[str] = record.get(None, [])  # type: ignore[call-overload]
    found = sum(value is not None for name, value in record.items() if name is not None) + len(extra)
    if found != len(header):
        raise DatasetError(f"{where}: {found} columns, expected {len(header)}")


@contextmanager
def _open_table(path: Path) -> Iterator[IO[bytes] | lzma.LZMAFile | gzip.GzipFile]:
    if path.suffix == ".zip":
        with open_zip(path) as archive, archive.open(_only_table(archive, path)) as member:
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
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; raises DatasetError if it is not one."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise DatasetError(f"{path}: {error}") from error
    with archive:
        yield archive
