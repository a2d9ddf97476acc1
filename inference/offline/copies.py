"""Annotated copies of pictures and videos, written to a separate folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from inference.annotation.picture import LabelledFace
from inference.errors import OutputError
from inference.offline.files import InputFile

_JPEG = (".jpg", ".jpeg", ".jpe")
_KEPT = (*_JPEG, ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Picture suffixes that the copy keeps; any other becomes PNG."""
_JPEG_QUALITY = 95
_CODEC = "libx264"
_CODEC_OPTIONS = {"preset": "veryfast", "crf": "20"}
"""H.264, which browsers show."""
_FINEST_RATE = 1000
"""Largest denominator of a frame rate."""


DrawFaces = Callable[[NDArray[np.uint8], Sequence[LabelledFace]], NDArray[np.uint8]]
"""Draws faces on a picture: returns a new one (height, width, 3) uint8, whose size depends on the size of the
picture only."""


class AnnotatedCopies:
    """Writes copies below `folder`, each at the relative path of its file.

    Raises OutputError if a copy would overwrite one of `files` or the copy of another, or cannot be written.
    """

    def __init__(self, folder: Path, draw: DrawFaces, files: Iterable[InputFile]) -> None:
        self._folder = folder
        self._draw = draw
        originals = {file.path.resolve() for file in files}
        owners: dict[Path, InputFile] = {}
        for file in files:
            path = self.path(file)
            if path.resolve() in originals:
                raise OutputError(f"{path}: the annotated copy would overwrite an input file")
            other = owners.setdefault(path.resolve(), file)
            if other is not file:
                raise OutputError(
                    f"{other.name} and {file.name}: both would have the annotated copy {path}; "
                    "rename one of them"
                )

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
        self._rate = Fraction(fps).limit_denominator(_FINEST_RATE)
        self._open: tuple[OutputContainer, VideoStream] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is None:
            return
        container, stream = self._open
        with self._reported():
            container.mux(stream.encode())
            container.close()

    def write_frame(self, picture: NDArray[np.uint8], faces: Sequence[LabelledFace]) -> None:
        """Append one frame; one of another size than the first is scaled to it."""
        drawn = _make_even(self._draw(picture, faces))
        with self._reported():
            container, stream = self._open = self._open or self._create(drawn)
            if drawn.shape[:2] != (stream.height, stream.width):
                drawn = np.asarray(cv2.resize(drawn, (stream.width, stream.height)), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(drawn), format="bgr24")
            container.mux(stream.encode(frame))

    def _create(self, picture: NDArray[np.uint8]) -> tuple[OutputContainer, VideoStream]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error
        container = av.open(f"file:{self._path.absolute()}", "w", format="mp4")
        stream = cast(VideoStream, container.add_stream(_CODEC, rate=self._rate, options=_CODEC_OPTIONS))
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        return container, stream

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error


def _make_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without its last row or column if their number is odd: the codec needs even sizes.

    A single row or column is repeated.
    """
    bottom, right = (max(2 - side, 0) for side in picture.shape[:2])
    if bottom or right:
        picture = np.asarray(cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    height, width = (2 * math.floor(side / 2) for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])
