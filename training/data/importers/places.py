"""Where the files of a data set lie in a data folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.data.sources import SETS
from training.errors import DatasetError

Tick = Callable[[], None]
"""Called after each row or picture that was read, to show that something moves."""


def silent() -> None:
    """The tick of readers that nobody watches."""


def dataset_folder(data: Path, name: str) -> Path:
    """The folder of one data set below a data folder, directly or in its `datasets`.

    Raises DatasetError where there is none.
    """
    folder = find_folder(data, name)
    if folder is None:
        raise DatasetError(f"{data}: no folder {name} or datasets/{name} in it; pass --data DIR{hint(name)}")
    return folder


def find_folder(data: Path, name: str) -> Path | None:
    """As `dataset_folder`, or None.

    Capital letters do not count: archives unpack to UTKFace or CK+48.
    """
    for parent in (data, data / "datasets"):
        if (parent / name).is_dir():
            return parent / name
        for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
            if folder.name.lower() == name and folder.is_dir():
                return folder
    return None


def new_folder(data: Path, name: str) -> Path:
    """Where the files of a data set are to be put: where its folder is, or would be looked for."""
    parent = data / "datasets" if (data / "datasets").is_dir() else data
    return find_folder(data, name) or parent / name


def missing(path: Path, name: str) -> DatasetError:
    """What to say of a file of a data set that is not there."""
    return DatasetError(f"{path}: no such file{hint(name)}")


def hint(name: str) -> str:
    """The command that downloads the data set, or says how to get it."""
    return f"; `mien train data fetch {name}` {SETS[name].verb}" if name in SETS else ""
