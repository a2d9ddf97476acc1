"""Annotated copies of pictures and videos, written to a separate folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.annotation.picture import LabelledFace
from inference.errors import OutputError
from inference.offline.files import InputFile
from media.native import diverted_stderr

_JPEG = (".jpg", ".jpeg", ".jpe")
_KEPT = (*_JPEG, ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Picture suffixes that the copy keeps; any other becomes PNG."""
_JPEG_QUALITY = 95
_CODEC = "mp4v"
"""MPEG-4 part 2: OpenCV's builds have no H.264, and their VP9 encodes only 6 frames/s."""


DrawFaces = Callable[[NDArray[np.uint8], Sequence[LabelledFace]], NDArray[np.uint8]]
"""Draws faces on a picture: returns a new one (height, width, 3) uint8, whose size depends on the size of the
picture only."""


class AnnotatedCopies:
    """Writes copies below `folder`, each at the relative path of its file, so that no two have one path.

    Raises OutputError if a copy would overwrite one of `files` or cannot be written.
    """

    def __init__(self, folder: Path, draw: DrawFaces, files: Iterable[InputFile]) -> None:
        self._folder = folder
        self._draw = draw
        originals = {file.path.resolve() for file in files}
        for file in files:
            if self.path(file).resolve() in originals:
                raise OutputError(f"{self.path(file)}: the annotated copy would overwrite an input file")

    def path(self, file: InputFile) -> Path:
        """The path of the copy: the same name, with a further suffix if that format cannot be written."""
        path = self._folder / file.relative
        suffix = path.suffix.lower()
        if file.is_video:
            return path if suffix == ".mp4" else path.with_name(f"{path.name}.mp4")
        return path if suffix in _KEPT else path.with_name(f"{path.name}.png")

    def write_picture(
        self, file: InputFile, picture: NDArray[np.uint8], faces: Sequence[LabelledFace]
    ) -> None:
        """Write the copy of a picture."""
        path = self.path(file)
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if path.suffix.lower() in _JPEG else []
        done, data = cv2.imencode(path.suffix.lower(), self._draw(picture, faces), options)
        if not done:
            raise OutputError(f"{path}: the annotated copy cannot be encoded")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(np.asarray(data).tobytes())
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror}") from error

    def open_video(self, file: InputFile, fps: float) -> VideoCopy:
        """Open the copy of a video for writing, with `fps` frames per second."""
        return VideoCopy(self.path(file), self._draw, fps)


class VideoCopy:
    """A video copy that is written frame by frame; a context manager.

    Raises OutputError if it cannot be written.
    """

    def __init__(self, path: Path, draw: DrawFaces, fps: float) -> None:
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

    def write_frame(self, picture: NDArray[np.uint8], faces: Sequence[LabelledFace]) -> None:
        """Append one frame; all must have the same size."""
        drawn = self._draw(picture, faces)
        if self._writer is None:
            self._writer = self._open(drawn)
        with diverted_stderr():
            self._writer.write(_crop_to_even(drawn))

    def _open(self, picture: NDArray[np.uint8]) -> cv2.VideoWriter:
        height, width = _crop_to_even(picture).shape[:2]
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
            raise OutputError(f"{self._path}: this build of OpenCV cannot write MPEG-4 video")
        return writer


def _crop_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without its last row or column if their number is odd: the codec needs even sizes."""
    height, width = (2 * math.floor(side / 2) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])
