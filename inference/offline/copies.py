"""Annotated copies of pictures and videos, in a folder of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.annotation.picture import LabelledFace
from inference.errors import OutputError
from inference.native_stderr import diverted_stderr
from inference.offline.files import Item

_JPEG = (".jpg", ".jpeg", ".jpe")
_KEPT = (*_JPEG, ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Picture endings that the copy shares; any other becomes PNG."""
_JPEG_QUALITY = 95
_CODEC = "mp4v"
"""MPEG-4 part 2: OpenCV's own builds have no H.264, and their VP9 writes 6 frames/s."""


class Drawing(Protocol):
    """Draws faces onto a picture; the result's size depends on the picture's size alone."""

    def __call__(self, picture: NDArray[np.uint8], faces: Sequence[LabelledFace], /) -> NDArray[np.uint8]:
        """A new picture (height, width, 3) uint8."""


class Copies:
    """Writes copies below `folder`, each at its item's place, so that no two share a file.

    Raises OutputError where a copy would overwrite one of `items`, or cannot be written.
    """

    def __init__(self, folder: Path, draw: Drawing, items: Iterable[Item]) -> None:
        self._folder = folder
        self._draw = draw
        originals = {item.path.resolve() for item in items}
        for item in items:
            if self.path(item).resolve() in originals:
                raise OutputError(f"{self.path(item)}: the annotated copy would overwrite a file to be read")

    def path(self, item: Item) -> Path:
        """Where the copy of an item goes: same name; another ending where that cannot be written."""
        place = self._folder / item.place
        ending = place.suffix.lower()
        if item.is_video:
            return place if ending == ".mp4" else place.with_name(f"{place.name}.mp4")
        return place if ending in _KEPT else place.with_name(f"{place.name}.png")

    def add_picture(self, item: Item, picture: NDArray[np.uint8], faces: Sequence[LabelledFace]) -> None:
        """Write the copy of a picture."""
        path = self.path(item)
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix.lower() in _JPEG else []
        done, data = cv2.imencode(path.suffix.lower(), self._draw(picture, faces), options)
        if not done:
            raise OutputError(f"{path}: the annotated copy cannot be encoded")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(np.asarray(data).tobytes())
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def video(self, item: Item, fps: float) -> VideoCopy:
        """Begin the copy of a video with `fps` frames per second."""
        return VideoCopy(self.path(item), self._draw, fps)


class VideoCopy:
    """A video copy being written, frame by frame; a context manager.

    Raises OutputError where it cannot be written.
    """

    def __init__(self, path: Path, draw: Drawing, fps: float) -> None:
        self._path = path
        self._draw = draw
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            with diverted_stderr():
                self._writer.release()

    def add(self, picture: NDArray[np.uint8], faces: Sequence[LabelledFace]) -> None:
        """Append one frame; all must be of one size."""
        drawn = self._draw(picture, faces)
        if self._writer is None:
            self._writer = self._open(drawn)
        with diverted_stderr():
            self._writer.write(_even(drawn))

    def _open(self, picture: NDArray[np.uint8]) -> cv2.VideoWriter:
        height, width = _even(picture).shape[:2]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.open("wb").close()
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error
        with diverted_stderr():
            codec = cv2.VideoWriter.fourcc(*_CODEC)
            writer = cv2.VideoWriter(
                str(self._path.resolve()), cv2.CAP_FFMPEG, codec, self._fps, (width, height)
            )
        if not writer.isOpened():
            raise OutputError(f"{self._path}: this build of OpenCV writes no MPEG-4 video")
        return writer


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without the last row or column where their number is odd: video wants pairs."""
    height, width = (2 * math.floor(side / 2) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])
