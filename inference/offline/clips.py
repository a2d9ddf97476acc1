"""The frames of a video file, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.errors import ImageError
from inference.native_stderr import diverted_stderr

_WHOLE = 0.9
"""Share of the announced frames under which a video counts as cut off: what a container announces may be an
estimate."""


class ClipFrame(NamedTuple):
    """One frame: its number from 0, its time in seconds, and (height, width, 3) uint8 in BGR."""

    number: int
    time_s: float
    picture: NDArray[np.uint8]


class Clip:
    """An open video file; a context manager.

    Decoder messages do not reach standard error (see `diverted_stderr`: not for threads). Raises ImageError
    where the file is missing or is no video.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror}") from error
        with diverted_stderr():
            self._capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise ImageError("not a video that can be decoded")
        self.announced = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """Number of frames by the container's word, which may be an estimate; 0 where it says nothing."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps < 1000 else 25.0
        """Frames per second, 25 where the container says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def frames(self, every: float = 0.0) -> Iterator[ClipFrame]:
        """All frames in order, or the first at or after each multiple of `every` seconds.

        Raises ImageError at the end where frames are missing, after all that can be decoded.
        """
        number, due = 0, 0.0
        while True:
            with diverted_stderr():
                if not self._capture.grab():
                    break
                time_s = self._time(number)
                wanted = time_s >= due - 1e-6
                done, picture = self._capture.retrieve() if wanted else (False, None)
            if wanted and done:
                yield ClipFrame(number, time_s, np.asarray(picture, np.uint8))
                if every:
                    due = (time_s // every + 1) * every
            number += 1
        if number == 0:
            raise ImageError("damaged video: no frame can be decoded")
        if number < _WHOLE * self.announced:
            raise ImageError(f"damaged video: it ends after {number} of {self.announced} frames")

    def _time(self, number: int) -> float:
        told = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        return told if told > 0 else number / self.fps
