"""Input files: the pictures and videos at the paths that a user gives."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from inference.errors import InputError
from media.kinds import Kind, find_kind, is_ignored, natural_order

PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".apng"})
VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".mjpeg"}
    | {".3gp", ".wmv", ".asf", ".flv", ".h264", ".hevc", ".mxf", ".ogv", ".vob", ".dav"}
)
"""Suffixes of files that are meant to be pictures or videos: one of them that is damaged is reported."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One picture or video: `name` is its path as the user would write it, `relative` its path below the
    deepest folder that contains all input files, `kind` what its content is."""

    path: Path
    name: str
    relative: PurePath
    kind: Kind

    @property
    def is_video(self) -> bool:
        """Whether it has several pictures: a video, an animation or pages."""
        return self.kind is not Kind.PICTURE


class FoundFiles(NamedTuple):
    """The input files, each once, and how many other files the folders contain."""

    files: list[InputFile]
    others: int


def find_files(paths: Sequence[Path], exclude: Path | None = None) -> FoundFiles:
    """The files among `paths` and all pictures and videos in the folders among them, sorted by folder.

    What a file is is told by its content. In folders, numbers in names are sorted by value; hidden files,
    stores of thumbnails and the folder `exclude` are skipped, and named pipes and devices are not read.
    Raises InputError if a path does not exist or is neither a file nor a folder, or if nothing is found.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if not path.is_dir() and _is_stream(path):
            raise InputError(f"{path}: neither a file nor a folder; save the pictures in a file first")
    found: dict[Path, tuple[Path, Kind]] = {}
    others = 0
    for path in paths:
        for file in _walk(path, exclude) if path.is_dir() else (path,):
            real = file.resolve()
            if real in found:
                continue
            kind = None
            if not _is_stream(file):
                kind = find_kind(file) or _meant_kind(file) or (None if path.is_dir() else Kind.PICTURE)
            if kind:
                found[real] = file, kind
            else:
                others += 1
    if not found:
        named = ", ".join(map(str, paths))
        raise InputError(f"{named}: neither pictures nor videos")
    top = os.path.commonpath([path.resolve() if path.is_dir() else path.resolve().parent for path in paths])
    files = [
        InputFile(file, str(file), _relative_path(real, top), kind) for real, (file, kind) in found.items()
    ]
    return FoundFiles(files, others)


def _is_stream(path: Path) -> bool:
    """Whether what is at a path is no file, such as a named pipe: opening it waits for who writes into it."""
    return path.exists() and not path.is_file()


def _meant_kind(path: Path) -> Kind | None:
    """What a file that cannot be recognized should be, by its suffix."""
    suffix = path.suffix.lower()
    if suffix in VIDEOS:
        return Kind.VIDEO
    return Kind.PICTURE if suffix in PICTURES else None


def _walk(folder: Path, exclude: Path | None) -> Iterator[Path]:
    for current, folders, names in os.walk(folder):
        here = Path(current)
        kept = [here / name for name in folders if _is_included(here / name, exclude)]
        folders[:] = [each.name for each in sorted(kept, key=natural_order)]
        yield from sorted((here / name for name in names if not is_ignored(name)), key=natural_order)


def _is_included(folder: Path, exclude: Path | None) -> bool:
    return not is_ignored(folder.name) and (exclude is None or folder.resolve() != exclude.resolve())


def _relative_path(real: Path, top: str) -> PurePath:
    # A link may point outside of the folder that contains it.
    return real.relative_to(top) if real.is_relative_to(top) else PurePath(*real.parts[1:])
