"""Header of an encoded picture: what it announces, read before anything is decoded."""

from __future__ import annotations

from typing import NamedTuple

FORMATS = frozenset({"JPEG", "PNG", "BMP", "GIF", "TIFF", "WebP"})


class Header(NamedTuple):
    """What an encoded picture announces.

    Attributes:
        format: one of `FORMATS`.
        width, height: in pixels, as stored.
        end: number of bytes that belong to the picture; whatever follows them is ignored.
        alpha: whether pixels may be transparent.
        weight: memory that decoding a pixel takes, relative to an ordinary picture of that format.
        progressive: whether it is a JPEG of another kind than baseline.
    """

    format: str
    width: int
    height: int
    end: int
    alpha: bool = False
    weight: int = 1
    progressive: bool = False
