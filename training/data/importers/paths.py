"""Locations of the data sets' files in a data folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.data.sources import SETS
from training.errors import DatasetError

Tick = Callable[[], None]
"""Called after each row or picture, to show progress."""


def no_progress() -> None:
    """A tick that does nothing."""


def dataset_folder(data: Path, name: str) -> Path:
    """The folder of one data set below a data folder, directly or in its `datasets`.

    Raises DatasetError if there is none.
    """
    folder = find_folder(data, name)
    if folder is None:
        raise DatasetError(
            f"{data}: no folder {name} or datasets/{name} in it; pass --data DIR{fetch_hint(name)}"
        )
    return folder


def find_folder(data: Path, name: str) -> Path | None:
    """Like `dataset_folder`, but returns None if there is none.

    Upper and lower case are equal, because archives unpack to UTKFace or CK+48.
    """
    for parent in (data, data / "datasets"):
        if (parent / name).is_dir():
            return parent / name
        for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
            if folder.name.lower() == name and folder.is_dir():
                return folder
    return None


def target_folder(data: Path, name: str) -> Path:
    """The folder for a data set's files: the existing one, or the one to create."""
    parent = data / "datasets" if (data / "datasets").is_dir() else data
    return find_folder(data, name) or parent / name


def missing_file(path: Path, name: str) -> DatasetError:
    """The error for a missing file of a data set."""
    return DatasetError(f"{path}: no such file{fetch_hint(name)}")


def fetch_hint(name: str) -> str:
    """The command that downloads the data set, or explains how to get it."""
    return f"; `mien train data fetch {name}` {SETS[name].verb}" if name in SETS else ""
