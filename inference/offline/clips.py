"""Frames of a video file, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from media.errors import ImageError, VideoError
from media.images import Color, Gray
from media.videos import VideoDecoder

ROUNDING = 1e-6
"""Seconds by which a time may lie before the one that is due."""


class ClipFrame(NamedTuple):
    """One frame: its number from 0, its time in seconds, and its luminance (height, width) uint8."""

    number: int
    time_s: float
    gray: Gray


class Clip:
    """An open video file; a context manager. Raises VideoError where it cannot be read or is not a video."""

    def __init__(self, path: Path) -> None:
        self._video = VideoDecoder(path)
        self.announced = self._video.announced
        """Number of frames that the container states; 0 where it does not."""
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
        number, due, failed = 0, 0.0, 0
        reason = ""
        while self._video.grab():
            time_s = self._video.time_s
            if time_s >= due - ROUNDING:
                try:
                    gray = self._video.gray()
                except ImageError as error:
                    failed, reason = failed + 1, reason or str(error)
                else:
                    yield ClipFrame(number, time_s, gray)
                    due = next_due(time_s, every)
            number += 1
        if failed:
            raise VideoError(
                f"damaged video: {failed} of {number} frames cannot be decoded, the first: {reason}"
            )

    def color(self) -> Color:
        """The frame that was yielded last, as (height, width, 3) uint8 in blue, green, red."""
        return self._video.color()


def next_due(time_s: float, every: float) -> float:
    """The next multiple of `every` seconds behind a time; 0 where every frame is wanted."""
    return ((time_s + ROUNDING) // every + 1) * every if every else 0.0
