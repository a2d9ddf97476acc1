"""Kinds of media files, told by their content: what a file is called does not matter."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

from media.errors import ImageError, VideoError
from media.formats import HEAD_BYTES, find_format, find_unsupported
from media.images import read_bytes
from media.sequences import holds_several
from media.videos import VideoDecoder

_IGNORED_NAMES = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "picasa.ini", "icon\r"})
_NUMBER = re.compile(r"([0-9]+)")


class Kind(Enum):
    """What a file is."""

    PICTURE = "picture"
    SEQUENCE = "sequence"
    """Several pictures: an animation, or pages."""
    VIDEO = "video"


def find_kind(path: Path) -> Kind | None:
    """What the file is, None where it is neither a picture nor a video.

    A picture of a format that is not supported, and a damaged one, counts as a picture: reading it gives the
    reason. A file that cannot be read does so, too.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return Kind.PICTURE
    found = find_format(head)
    if found is None:
        if find_unsupported(head):
            return Kind.PICTURE
        return Kind.VIDEO if _is_video(path) else None
    if found in ("JPEG", "BMP"):
        return Kind.PICTURE
    try:
        return Kind.SEQUENCE if holds_several(read_bytes(path)) else Kind.PICTURE
    except ImageError:
        return Kind.PICTURE


def natural_order(path: Path) -> tuple[tuple[int, str], ...]:
    """Key that sorts names with their numbers by value: 2.jpg comes before 10.jpg."""
    parts = _NUMBER.split(path.name.casefold())
    numbered = tuple((int(each), each) if each.isascii() and each.isdigit() else (-1, each) for each in parts)
    return (*numbered, (-1, path.name))


def is_ignored(name: str) -> bool:
    """Whether a file is one that systems leave in folders: hidden, or a store of thumbnails."""
    return name.startswith((".", "~$", "@eaDir")) or name.casefold() in _IGNORED_NAMES


def _is_video(path: Path) -> bool:
    try:
        VideoDecoder(path).close()
    except VideoError:
        return False
    return True
