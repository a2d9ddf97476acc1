"""Files that hold several pictures: animations (GIF, APNG, WebP) and documents of several pages (TIFF)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from PIL import ImageFile, JpegImagePlugin

from media.errors import ImageError
from media.images import (
    DECODING_ERRORS,
    PICTURE_FILE,
    Color,
    Gray,
    Limits,
    check_size,
    convert,
    load,
    open_picture,
    read_bytes,
)

_LEAST_DURATION, _USUAL_DURATION = 0.011, 0.1
"""Seconds: browsers show a picture of an animation that states less than 11 ms for 100 ms."""
_GIF_TRAILER = b";"
"""End of a GIF 89a, which states its number of pictures nowhere."""
_REDUCED_COPY = 1
"""Bit of the tag NewSubfileType (TIFF 6.0): a smaller copy of another page."""
_SUBFILE_TYPE = 254


class SequencePicture(NamedTuple):
    """One picture of a sequence; its pixels are valid until the next one is read.

    `number` counts from 0, `time_s` is when an animation shows it.
    """

    number: int
    time_s: float
    image: ImageFile.ImageFile
    format: str

    def gray(self) -> Gray:
        """The luminance (height, width) uint8; raises ImageError."""
        return convert(self.image, self.format, gray=True)

    def color(self) -> Color:
        """(height, width, 3) uint8 blue, green, red; raises ImageError."""
        return convert(self.image, self.format, gray=False)


class PictureSequence:
    """The pictures in one file; a context manager.

    Args:
        path: the file.
        limits: for the file, and for each of its pictures.

    Raises:
        ImageError: the file is no picture, or exceeds the limits.
    """

    def __init__(self, path: Path, limits: Limits = PICTURE_FILE) -> None:
        self._limits = limits
        data = read_bytes(path, limits)
        self._image, self.format = open_picture(data, limits)
        self._has_end = self.format != "GIF" or data.rstrip(b"\0").endswith(_GIF_TRAILER)
        self._first = int(bool(getattr(self._image, "default_image", False)))
        """Index of the first picture: an APNG may begin with one for programs that show no animations."""
        self.timed = self.format != "TIFF"
        """Whether the pictures have times; pages have none."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._image.close()

    def pictures(self) -> Iterator[SequencePicture]:
        """All pictures in order; smaller copies of a page are left out.

        Raises:
            ImageError: one is damaged, after all before it.
        """
        time_s, number = 0.0, 0
        for index in itertools.count(self._first):
            if not self._seek(index):
                return
            if self._is_copy():
                continue
            load(self._image, self.format)
            yield SequencePicture(number, time_s if self.timed else 0.0, self._image, self.format)
            number += 1
            time_s += self._duration()

    def _seek(self, index: int) -> bool:
        """Move to a picture; False behind the last one."""
        try:
            self._image.seek(index)
        except EOFError:
            before = index - self._first
            if before and self._has_end:
                return False
            raise ImageError(f"truncated {self.format}: it ends after {before} pictures") from None
        except DECODING_ERRORS as error:
            raise ImageError(f"damaged {self.format}: picture {index + 1}: {error}") from error
        check_size(self._image, self.format, self._limits)
        return True

    def _is_copy(self) -> bool:
        kind = getattr(self._image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
        return isinstance(kind, int) and bool(kind & _REDUCED_COPY)

    def _duration(self) -> float:
        """Seconds for which the current picture is shown."""
        stated = self._image.info.get("duration")
        seconds = float(stated) / 1000 if isinstance(stated, int | float) else 0.0
        return seconds if seconds >= _LEAST_DURATION else _USUAL_DURATION


def holds_several(data: bytes, limits: Limits = PICTURE_FILE) -> bool:
    """Whether an encoded picture is an animation or has several pages; raises ImageError for damaged ones."""
    image, _ = open_picture(data, limits)
    with image:
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            return False
        try:
            return bool(getattr(image, "is_animated", False))
        except DECODING_ERRORS:
            return False
