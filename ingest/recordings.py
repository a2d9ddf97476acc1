"""Sources that end: video files and folders of pictures, and either of them in a loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path

from typing_extensions import override

from common.file_names import printable_name
from ingest.camera_source import CameraSource, UndecodedPicture
from ingest.errors import SourceError, SourceLost
from media.errors import ImageError, VideoError
from media.formats import FORMATS, HEAD_BYTES, find_format
from media.images import PICTURE_FILE, Gray, decode_gray, read_bytes
from media.kinds import Kind, find_kind, is_ignored, natural_order
from media.sequences import PictureSequence
from media.videos import VideoDecoder

LONGEST_GAP = 10.0
"""Seconds that a recording may have without a picture: a longer pause of a recorder is shortened to it. It
separates two visits, and a live run need not wait for hours where the clock of a recording jumps."""
PICTURES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})


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
            raise SourceError(f"{printable_name(str(path))}: {error}") from error
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


class PictureFiles(CameraSource):
    """The pictures in some files, `fps` per second; of a single animation, at the times that it states.

    Of files with several pictures every one counts. One that cannot be decoded is followed by the others.
    """

    live = False

    def __init__(self, files: Sequence[Path], fps: float) -> None:
        self.period = 1 / fps
        """Seconds from one picture to the next, unless the file states it."""
        self._pictures = self._read_all(files)

    @override
    def read(self) -> UndecodedPicture | None:
        return next(self._pictures, None)

    @override
    def close(self) -> None:
        self._pictures.close()

    def _read_all(self, files: Sequence[Path]) -> Generator[UndecodedPicture]:
        number, offset = 0, -math.inf
        for path in files:
            for time_s, decode in _read_file(path):
                if len(files) == 1 and time_s is not None:
                    offset = time_s
                else:
                    # The damaged end of an animation has no time, and comes after all pictures with a time.
                    offset = max(number * self.period, offset + self.period)
                yield UndecodedPicture(offset, decode)
                number += 1


def find_pictures(folder: Path) -> list[Path]:
    """The pictures in a folder in natural order: 2.jpg comes before 10.jpg.

    A file that is named like a picture is one: that it is damaged, or cannot be read, is reported when it is
    read. Other files are told by their content.

    Raises:
        SourceError: the folder cannot be read or holds no pictures.
    """
    try:
        files = [path for path in folder.iterdir() if not is_ignored(path.name) and _is_picture(path)]
    except OSError as error:
        raise SourceError(f"{printable_name(str(folder))}: cannot be read: {error.strerror}") from error
    if not files:
        raise SourceError(f"{printable_name(str(folder))}: holds no pictures ({', '.join(sorted(FORMATS))})")
    return sorted(files, key=natural_order)


def open_recording(path: Path, fps: float) -> VideoFile | PictureFiles:
    """A video file, a picture file with one or several pictures, or a folder of these.

    Args:
        path: the file or folder.
        fps: pictures per second where the pictures have no times.

    Raises:
        SourceError: it cannot be read, or is none of these.
    """
    if _is_folder(path):
        return PictureFiles(find_pictures(path), fps)
    if find_kind(path) in (Kind.PICTURE, Kind.SEQUENCE):
        return PictureFiles([path], fps)
    return VideoFile(path)


class LoopedRecording(CameraSource):
    """A recording that restarts when it ends; its times continue to rise.

    `read` also raises SourceError where the recording cannot be opened again, and returns None where it
    holds no picture.
    """

    live = False

    def __init__(self, open_recording: Callable[[], VideoFile | PictureFiles]) -> None:
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


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise SourceError(f"{printable_name(str(path))}: cannot be read: {error.strerror}") from error


def _is_picture(path: Path) -> bool:
    is_named_like_one = path.suffix.lower() in PICTURES
    try:
        # Reading every file of a large folder on a slow disk would take longer than a source may.
        return path.is_file() and (is_named_like_one or _begins_like_one(path))
    except OSError:
        return is_named_like_one


def _begins_like_one(path: Path) -> bool:
    with path.open("rb") as file:
        return find_format(file.read(HEAD_BYTES)) is not None


def _read_file(path: Path) -> Iterator[tuple[float | None, Callable[[], Gray]]]:
    """The times, where they are stated, and the pixels of all pictures in a file."""
    try:
        if find_kind(path) is not Kind.SEQUENCE:
            yield None, partial(_decode_file, path)
            return
        with PictureSequence(path) as sequence:
            for picture in sequence.pictures():
                yield picture.time_s if sequence.timed else None, picture.gray
    except ImageError as error:
        yield None, partial(_fail, f"{printable_name(path.name)}: {error}")


def _decode_file(path: Path) -> Gray:
    try:
        return decode_gray(read_bytes(path), PICTURE_FILE)
    except ImageError as error:
        raise ImageError(f"{printable_name(path.name)}: {error}") from error


def _fail(reason: str) -> Gray:
    raise ImageError(reason)
