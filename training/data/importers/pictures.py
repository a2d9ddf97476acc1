"""Pictures in a folder or in a zip archive, by name.

Names come from archives and tables that anybody may have made: they are only ever looked up among those
that are there, never joined to a path, and nothing is unpacked to disk.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import ImageError
from media.images import MEGABYTE, Limits, decode_gray, read_gray
from training.data.importers.tables import DAMAGE, opened_zip, shown
from training.errors import DatasetError

FACE = Limits(bytes=2 * MEGABYTE, side=2048, pixels=2048 * 2048)
"""The largest picture of one face that is read."""

_SUFFIXES = (".jpg", ".jpeg", ".png")
_DEEPEST = 5
"""Folders below folders: enough for every known layout, and an end where a link leads back up."""


class Pictures(Protocol):
    """Pictures by name: paths with slashes, relative to where they lie."""

    @property
    def names(self) -> Mapping[str, str]:
        """Their names in order; each with a size and a time of change, as text."""

    def gray(self, name: str) -> NDArray[np.uint8]:
        """One of them, (height, width) uint8; raises DatasetError for one that is damaged."""


class _Folder:
    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self.names = dict(sorted(_walk(path, "", _DEEPEST)))

    def gray(self, name: str) -> NDArray[np.uint8]:
        path = self._path / name
        try:
            return read_gray(path, self._limits)
        except ImageError as error:
            raise DatasetError(f"{path}: {error}") from error


class _Archive:
    def __init__(self, path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._path, self._archive, self._limits = path, archive, limits
        members = (member for member in archive.infolist() if _is_picture(member.filename))
        self.names = {member.filename: "" for member in sorted(members, key=lambda member: member.filename)}

    def gray(self, name: str) -> NDArray[np.uint8]:
        where = f"{self._path}: {shown(name)[1:-1]}"
        try:
            with self._archive.open(name) as member:
                data = member.read(self._limits.bytes + 1)
                # A checksum is compared at the end of a member alone.
                member.read(1)
            return decode_gray(data, self._limits)
        except (*DAMAGE, ImageError) as error:
            raise DatasetError(f"{where}: {error}") from error


@contextmanager
def opened_pictures(path: Path, limits: Limits = FACE) -> Iterator[Pictures]:
    """The pictures of a folder, with all folders in it, or of a zip archive; hidden files do not count.

    None may be larger than `limits`.
    """
    if path.is_dir():
        yield _Folder(path, limits)
    else:
        with opened_zip(path) as archive:
            yield _Archive(path, archive, limits)


def picture_source(folder: Path, *archives: str) -> Path:
    """The first of the archives that is in the folder, or else the folder itself."""
    return next((folder / name for name in archives if (folder / name).is_file()), folder)


def resized(picture: NDArray[np.uint8], side: int, where: str) -> NDArray[np.uint8]:
    """A square picture (side, side), made smaller where it is larger.

    Raises DatasetError for one that is not square, or smaller.
    """
    height, width = picture.shape
    if height != width or height < side:
        raise DatasetError(f"{where}: {width} x {height} pixels, expected {side} x {side} or a larger square")
    if height == side:
        return picture
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _is_picture(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(_SUFFIXES)


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir():
                if depth and not entry.name.startswith("."):
                    yield from _walk(Path(entry.path), f"{name}/", depth - 1)
            elif _is_picture(name):
                state = entry.stat()
                yield name, f"{state.st_size} {state.st_mtime_ns}"
