"""Sources that end: video files and folders of pictures, and such a source from the beginning again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from ingest.errors import BadPicture, SourceError, SourceLost
from ingest.pictures import Gray, Picture, decode_gray
from ingest.streams import retrieve

PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_WHOLE = 0.9
"""Share of the announced pictures under which a video counts as cut off: some containers estimate."""
_USUAL_FPS = 25.0
_MOST_FPS = 1000
_MOST_FILE_BYTES = 50_000_000


class VideoFile:
    """The pictures of a video file, with their times.

    Raises:
        SourceError: the file cannot be read, or is no video.
    """

    live = False

    def __init__(self, path: Path) -> None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
        settings = [cv2.CAP_PROP_N_THREADS, 1]
        self._capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG, settings)
        if not self._capture.isOpened():
            raise SourceError(f"{path}: not a video that can be decoded")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.period = 1 / (fps if 0 < fps < _MOST_FPS else _USUAL_FPS)
        """Seconds from one picture to the next, usually."""
        self._announced = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self._read = 0
        self._begins = 0.0
        self._offset = -self.period

    def read(self) -> Picture | None:
        """The next picture, None at the end.

        Raises:
            SourceLost: the file ends before all pictures that it announces.
        """
        if not self._capture.grab():
            if self._read < _WHOLE * self._announced or not self._read:
                raise SourceLost(f"damaged video: it ends after {self._read} of {self._announced} pictures")
            return None
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not self._read:
            self._begins = told
        self._read += 1
        # Where a container tells no time, or one that goes back, the next picture is one period later.
        told -= self._begins
        self._offset = told if told > self._offset else self._offset + self.period
        return Picture(self._offset, partial(retrieve, self._capture))

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Folder:
    """The pictures in a folder, sorted by name, `fps` of them a second.

    Raises:
        SourceError: there are none.
    """

    live = False

    def __init__(self, folder: Path, fps: float) -> None:
        self.period = 1 / fps
        """Seconds from one picture to the next."""
        try:
            self._files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
        except OSError as error:
            raise SourceError(f"{folder}: cannot be read: {error.strerror}") from error
        if not self._files:
            raise SourceError(f"{folder}: holds no pictures ({' '.join(sorted(PICTURES))})")
        self._number = 0

    def read(self) -> Picture | None:
        """The next picture, None at the end."""
        if self._number == len(self._files):
            return None
        picture = Picture(self._number * self.period, partial(_read_file, self._files[self._number]))
        self._number += 1
        return picture

    def close(self) -> None:
        """Nothing is open between two pictures."""


class Repeated:
    """A recording that begins again when it ends; its time goes on."""

    live = False

    def __init__(self, open_recording: Callable[[], VideoFile | Folder]) -> None:
        self._open = open_recording
        self._recording = open_recording()
        self._begins = self._offset = 0.0

    def read(self) -> Picture | None:
        """The next picture; None only where the recording holds none.

        Raises:
            SourceError: the recording cannot be opened again.
            SourceLost: the recording is damaged.
        """
        picture = self._recording.read()
        if picture is None:
            self._recording.close()
            self._recording = self._open()
            self._begins = self._offset + self._recording.period
            picture = self._recording.read()
        if picture is None or picture.offset is None:
            return None
        self._offset = self._begins + picture.offset
        return Picture(self._offset, picture.pixels)

    def close(self) -> None:
        """Close the recording."""
        self._recording.close()


def _read_file(path: Path) -> Gray:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_FILE_BYTES + 1)
    except OSError as error:
        raise BadPicture(f"{path.name} cannot be read: {error.strerror}") from error
    if len(data) > _MOST_FILE_BYTES:
        raise BadPicture(f"{path.name} is larger than {_MOST_FILE_BYTES / 1e6:g} MB")
    try:
        return decode_gray(data)
    except BadPicture as error:
        raise BadPicture(f"{path.name}: {error}") from error
