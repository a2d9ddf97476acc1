"""The known face data sets that lie in a data folder: how each is read, and how it is looked through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from training.data import inventory
from training.data.datasets import FairFace
from training.data.importers import load_ckplus, load_fairface, load_fer2013, load_utkface
from training.data.importers.fairface import SPLITS
from training.data.importers.places import Tick, find_folder
from training.data.inventory import Inventory
from training.errors import DatasetError


def load_both(data: Path, cache: Path | None, tick: Tick) -> tuple[FairFace, FairFace]:
    """Both splits of FairFace, train and val; raises DatasetError."""
    train, val = (load_fairface(data, cache, split, tick) for split in SPLITS)
    return train, val


LOADS: Mapping[str, Callable[[Path, Path | None, Tick], object]] = {
    "fer2013": load_fer2013,
    "fairface": load_both,
    "utkface": load_utkface,
    "ck+48": load_ckplus,
}
"""By name: from data folder and cache, None for reading every file anew, to the arrays."""

LOOKS: Mapping[str, Callable[[Path, Tick], Inventory]] = {
    "fer2013": lambda data, tick: inventory.fer2013(load_fer2013(data, None, tick)),
    "fairface": lambda data, tick: inventory.fairface(*load_both(data, None, tick)),
    "utkface": lambda data, tick: inventory.utkface(load_utkface(data, None, tick)),
    "ck+48": lambda data, tick: inventory.ckplus(load_ckplus(data, None, tick)),
}
"""By name: from a data folder, of which every file is read anew, to what the data set holds."""


def present(data: Path) -> list[str]:
    """The names of the data sets that have a folder; raises DatasetError where none has."""
    found = [name for name in LOADS if find_folder(data, name)]
    if not found:
        raise DatasetError(
            f"{data}: none of the folders {', '.join(LOADS)} is in it; pass --data DIR, or see "
            "`mien train data fetch`"
        )
    return found
