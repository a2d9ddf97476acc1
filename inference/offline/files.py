"""Input files: the pictures and videos at the paths that a user gives."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from inference.errors import InputError

PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mjpeg", ".3gp", ".wmv"}
)


@dataclass(frozen=True, slots=True)
class InputFile:
    """One picture or video: `name` is its path as the user would write it, `relative` its path below the
    deepest folder that contains all input files."""

    path: Path
    name: str
    relative: PurePath

    @property
    def is_video(self) -> bool:
        """Whether the suffix is that of a video; a file with an unknown suffix is a picture."""
        return self.path.suffix.lower() in VIDEOS


class FoundFiles(NamedTuple):
    """The input files, each once, and how many other files the folders contain."""

    files: list[InputFile]
    others: int


def find_files(paths: Sequence[Path], exclude: Path | None = None) -> FoundFiles:
    """The files among `paths` and all pictures and videos in the folders among them, sorted by folder.

    Hidden files and the folder `exclude` are skipped. Raises InputError if a path does not exist or if
    nothing is found.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    files: dict[Path, Path] = {}
    others = 0
    for path in paths:
        for file in _walk(path, exclude) if path.is_dir() else (path,):
            if path.is_dir() and file.suffix.lower() not in PICTURES | VIDEOS:
                others += 1
            else:
                files.setdefault(file.resolve(), file)
    if not files:
        named = ", ".join(map(str, paths))
        raise InputError(
            f"{named}: neither pictures ({_list_suffixes(PICTURES)}) nor videos ({_list_suffixes(VIDEOS)})"
        )
    top = os.path.commonpath([path.resolve() if path.is_dir() else path.resolve().parent for path in paths])
    return FoundFiles(
        [InputFile(file, str(file), _relative_path(real, top)) for real, file in files.items()], others
    )


def _walk(folder: Path, exclude: Path | None) -> Iterator[Path]:
    for current, folders, names in os.walk(folder):
        here = Path(current)
        folders[:] = sorted(name for name in folders if _is_included(here / name, exclude))
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _is_included(folder: Path, exclude: Path | None) -> bool:
    return not folder.name.startswith(".") and (exclude is None or folder.resolve() != exclude.resolve())


def _relative_path(real: Path, top: str) -> PurePath:
    # A link may point outside of the folder that contains it.
    return real.relative_to(top) if real.is_relative_to(top) else PurePath(*real.parts[1:])


def _list_suffixes(suffixes: Iterable[str]) -> str:
    return " ".join(sorted(suffixes))
