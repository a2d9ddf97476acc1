"""Pictures in a folder or in a zip archive, by name.

Names in archives and tables are untrusted: they are only looked up among existing pictures, never joined to
a path, and nothing is unpacked to disk.
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

from media.errors import ImageError
from media.images import MEGABYTE, Limits, decode_gray, read_gray
from training.data.importers.tables import DAMAGE_ERRORS, open_zip, quote
from training.errors import DatasetError

FACE = Limits(bytes=2 * MEGABYTE, side=2048, pixels=2048 * 2048)
"""Limits of a picture of one face."""

_SUFFIXES = (".jpg", ".jpeg", ".png")
_DEEPEST = 5
"""Maximal depth of folders: enough for every known layout; ends loops of symbolic links."""


class PictureFiles(Protocol):
    """Pictures by name: a path with slashes, relative to the folder or archive."""

    @property
    def names(self) -> Mapping[str, str]:
        """Sorted names, each with size and modification time as text."""

    def gray(self, name: str) -> NDArray[np.uint8]:
        """Read one picture (height, width) uint8; raises DatasetError if it is damaged."""


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
        where = f"{self._path}: {quote(name)[1:-1]}"
        try:
            with self._archive.open(name) as member:
                data = member.read(self._limits.bytes + 1)
                # zipfile checks the checksum only at the end of a member.
                member.read(1)
            return decode_gray(data, self._limits)
        except (*DAMAGE_ERRORS, ImageError) as error:
            raise DatasetError(f"{where}: {error}") from error


@contextmanager
def open_pictures(path: Path, limits: Limits = FACE) -> Iterator[PictureFiles]:
    """Open the pictures of a folder, including subfolders, or of a zip archive; hidden files are ignored.

    A picture beyond `limits` is refused.
    """
    if path.is_dir():
        yield _Folder(path, limits)
    else:
        with open_zip(path) as archive:
            yield _Archive(path, archive, limits)


def find_pictures(folder: Path, *archives: str) -> Path:
    """The first existing archive in the folder, otherwise the folder itself."""
    return next((folder / name for name in archives if (folder / name).is_file()), folder)


def resize_square(picture: NDArray[np.uint8], side: int, where: str) -> NDArray[np.uint8]:
    """Reduce a square picture to (side, side).

    Raises DatasetError if it is not square, or smaller.
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
