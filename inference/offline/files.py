"""Which pictures and videos are meant by the paths that a user names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from inference.errors import ImageError

PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mjpeg", ".3gp", ".wmv"}
)


@dataclass(frozen=True, slots=True)
class Item:
    """One picture or video: `name` is its path as the user would write it, `place` its path below the
    deepest folder that holds all items."""

    path: Path
    name: str
    place: PurePath

    @property
    def is_video(self) -> bool:
        """Told by the name; what has no known ending counts as a picture."""
        return self.path.suffix.lower() in VIDEOS


class Found(NamedTuple):
    """The items, each file once, and how many files in folders are neither picture nor video."""

    items: list[Item]
    others: int


def find(paths: Sequence[Path], leave_out: Path | None = None) -> Found:
    """The files among `paths` and all pictures and videos in the folders among them, sorted by folder.

    Hidden files and the folder `leave_out` are passed by. Raises ImageError where a path does not exist
    or nothing is found.
    """
    for path in paths:
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    files: dict[Path, Path] = {}
    others = 0
    for path in paths:
        for file in _below(path, leave_out) if path.is_dir() else (path,):
            if path.is_dir() and file.suffix.lower() not in PICTURES | VIDEOS:
                others += 1
            else:
                files.setdefault(file.resolve(), file)
    if not files:
        named = ", ".join(map(str, paths))
        raise ImageError(f"{named}: neither pictures ({_endings(PICTURES)}) nor videos ({_endings(VIDEOS)})")
    top = os.path.commonpath([path.resolve() if path.is_dir() else path.resolve().parent for path in paths])
    return Found([Item(file, str(file), _place(real, top)) for real, file in files.items()], others)


def _below(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    for current, folders, names in os.walk(folder):
        here = Path(current)
        folders[:] = sorted(name for name in folders if _wanted(here / name, leave_out))
        yield from (here / name for name in sorted(names) if not name.startswith("."))


def _wanted(folder: Path, leave_out: Path | None) -> bool:
    return not folder.name.startswith(".") and (leave_out is None or folder.resolve() != leave_out.resolve())


def _place(real: Path, top: str) -> PurePath:
    # A link may lead out of the folder in which it was found.
    return real.relative_to(top) if real.is_relative_to(top) else PurePath(*real.parts[1:])


def _endings(suffixes: Iterable[str]) -> str:
    return " ".join(sorted(suffixes))
