"""Decoded data sets, kept as .npy files and mapped into memory from there: a second start takes seconds."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from training.data.datasets import CkClips, FairFace, Fer2013, UtkFace
from training.data.importers.pictures import opened_pictures

Data = TypeVar("Data", Fer2013, FairFace, UtkFace, CkClips)


def cached(kind: type[Data], cache: Path | None, sources: Sequence[Path], read: Callable[[], Data]) -> Data:
    """The arrays of `read()`, from the cache while the source files are the same.

    A file is the same while its path, size and time of change are; of a folder those of its pictures count.
    Without a cache everything is read. A reader that is interrupted leaves nothing that counts.
    """
    if cache is None:
        return read()
    key = hashlib.sha256("\n".join(_states(sources)).encode()).hexdigest()[:12]
    folder = cache / f"{kind.__name__.lower()}-{key}"
    if not folder.is_dir():
        _write(read(), folder)
    return kind(*(_value(folder / f"{field.name}.npy") for field in fields(kind)))


def _states(sources: Sequence[Path]) -> Iterator[str]:
    for source in sources:
        state = source.stat()
        if source.is_dir():
            with opened_pictures(source) as pictures:
                yield from (f"{source.resolve()} {name} {of}" for name, of in pictures.names.items())
        else:
            yield f"{source.resolve()} {state.st_size} {state.st_mtime_ns}"


def _write(data: Data, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        for field in fields(data):
            np.save(partial / f"{field.name}.npy", getattr(data, field.name), allow_pickle=False)
        # Another process may have been faster: what it wrote is the same.
        if not folder.is_dir():
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _value(path: Path) -> Any:
    value = np.load(path, mmap_mode="r")
    return value if value.ndim else value.item()
