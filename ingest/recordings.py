"""Sources that end: video files and folders of pictures, and either of them in a loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from typing_extensions import override

from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.errors import SourceError, SourceLost
from media.errors import ImageError, VideoError
from media.images import PICTURE_FILE, Gray, decode_gray, read_bytes
from media.videos import VideoDecoder

LONGEST_GAP = 10.0
"""Seconds that a recording may have without a picture: a longer pause of a recorder is shortened to it. It
separates two visits, and a live run need not wait for hours where the clock of a recording jumps."""
PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff"})


class VideoFile(CameraSource):
    """The pictures of a video file, with their times.

    Raises:
        SourceError: the file cannot be read, or is not a video.
    """

    live = False

    def __init__(self, path: Path) -> None:
        try:
            self._video = VideoDecoder(path, longest_gap=LONGEST_GAP)
        except VideoError as error:
            raise SourceError(f"{path}: {error}") from error
        self.period = self._video.period
        """Seconds from one picture to the next, usually."""

    @override
    def read(self) -> UndecodedPicture | None:
        try:
            if not self._video.grab():
                return None
        except VideoError as error:
            raise SourceLost(str(error)) from error
        return UndecodedPicture(self._video.time_s, self._video.gray)

    @override
    def close(self) -> None:
        self._video.close()


class PictureFolder(CameraSource):
    """The pictures in a folder, sorted by name, `fps` of them per second.

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

    @override
    def read(self) -> UndecodedPicture | None:
        if self._number == len(self._files):
            return None
        decode = partial(_decode_file, self._files[self._number])
        picture = UndecodedPicture(self._number * self.period, decode)
        self._number += 1
        return picture

    @override
    def close(self) -> None:
        """Do nothing: no file is open between two pictures."""


class LoopedRecording(CameraSource):
    """A recording that restarts when it ends; its times continue to rise.

    `read` also raises SourceError where the recording cannot be opened again, and returns None where it
    holds no picture.
    """

    live = False

    def __init__(self, open_recording: Callable[[], VideoFile | PictureFolder]) -> None:
        self._open = open_recording
        self._recording = open_recording()
        self._start = self._offset = 0.0

    @override
    def read(self) -> UndecodedPicture | None:
        picture = self._recording.read()
        if picture is None:
            self._recording.close()
            self._recording = self._open()
            self._start = self._offset + self._recording.period
            picture = self._recording.read()
        if picture is None or picture.offset is None:
            return None
        self._offset = self._start + picture.offset
        return UndecodedPicture(self._offset, picture.decode)

    @override
    def close(self) -> None:
        self._recording.close()


def _decode_file(path: Path) -> Gray:
    try:
        return decode_gray(read_bytes(path), PICTURE_FILE)
    except ImageError as error:
        raise ImageError(f"{path.name}: {error}") from error
