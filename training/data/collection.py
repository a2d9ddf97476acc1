"""The face data sets of a data folder: the loader and the inventory of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from training.data import inventory
from training.data.datasets import FairFace
from training.data.importers import load_ckplus, load_fairface, load_fer2013, load_utkface
from training.data.importers.fairface import SPLITS
from training.data.importers.paths import Tick, find_folder
from training.data.inventory import Inventory
from training.errors import DatasetError


def load_both_splits(data: Path, cache: Path | None, tick: Tick) -> tuple[FairFace, FairFace]:
    """Both splits of FairFace, train and val; raises DatasetError."""
    train, val = (load_fairface(data, cache, split, tick) for split in SPLITS)
    return train, val


LOADERS: Mapping[str, Callable[[Path, Path | None, Tick], object]] = {
    "fer2013": load_fer2013,
    "fairface": load_both_splits,
    "utkface": load_utkface,
    "ck+48": load_ckplus,
}
"""By name: function from data folder and cache (None: read every file) to the arrays."""

INVENTORIES: Mapping[str, Callable[[Path, Tick], Inventory]] = {
    "fer2013": lambda data, tick: inventory.fer2013(load_fer2013(data, None, tick)),
    "fairface": lambda data, tick: inventory.fairface(*load_both_splits(data, None, tick)),
    "utkface": lambda data, tick: inventory.utkface(load_utkface(data, None, tick)),
    "ck+48": lambda data, tick: inventory.ckplus(load_ckplus(data, None, tick)),
}
"""By name: function from a data folder to the inventory; it reads every file, without a cache."""


def find_present(data: Path) -> list[str]:
    """The names of the data sets with a folder; raises DatasetError if there is none."""
    found = [name for name in LOADERS if find_folder(data, name)]
    if not found:
        raise DatasetError(
            f"{data}: it has none of the folders {', '.join(LOADERS)}; pass --data DIR, or see "
            "`mien train data fetch`"
        )
    return found
