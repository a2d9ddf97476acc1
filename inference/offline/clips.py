"""Frames of a video file, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from media.errors import ImageError
from media.native import diverted_stderr
from media.videos import VideoDecoder


class ClipFrame(NamedTuple):
    """One frame: its number from 0, its time in seconds, and (height, width, 3) uint8 in BGR."""

    number: int
    time_s: float
    picture: NDArray[np.uint8]


class Clip:
    """An open video file; a context manager.

    Decoder messages do not reach standard error (see `diverted_stderr`: not for threads). Raises VideoError
    where the file cannot be read or is not a video.
    """

    def __init__(self, path: Path) -> None:
        with diverted_stderr():
            self._video = VideoDecoder(path)
        self.announced = self._video.announced
        """Number of frames that the container announces, which may be an estimate; 0 where it does not."""
        self.fps = self._video.fps
        """Frames per second, 25 where the container does not announce them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._video.close()

    def frames(self, every: float = 0.0) -> Iterator[ClipFrame]:
        """All frames in order, or the first at or after each multiple of `every` seconds.

        A frame that cannot be decoded is left out. Raises VideoError at the end where frames are missing,
        after all that can be decoded.
        """
        number, due = 0, 0.0
        while True:
            with diverted_stderr():
                if not self._video.grab():
                    return
                time_s = self._video.time_s
                if time_s <= 0:
                    time_s = number / self.fps
                picture = self._decode() if time_s >= due - 1e-6 else None
            if picture is not None:
                yield ClipFrame(number, time_s, picture)
                if every:
                    due = (time_s // every + 1) * every
            number += 1

    def _decode(self) -> NDArray[np.uint8] | None:
        try:
            return self._video.decode()
        except ImageError:
            return None
