"""Decoder of a video file, on OpenCV and FFmpeg: frame by frame; frames that are not wanted are skipped."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from media.errors import ImageError, VideoError

_COMPLETE = 0.9
"""Share of the announced frames below which a video counts as truncated: some announce an estimate."""
_USUAL_FPS = 25.0
_MOST_FPS = 1000


class VideoDecoder:
    """An open video file; one thread reads it and closes it.

    Args:
        path: the file.
        threads: of the decoder; 0 leaves the number to it.

    Raises:
        VideoError: the file cannot be read, or is not a video.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        try:
            path.open("rb").close()
        except OSError as error:
            raise VideoError(f"cannot be read: {error.strerror}") from error
        settings = [cv2.CAP_PROP_N_THREADS, threads] if threads else []
        self._capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG, settings)
        if not self._capture.isOpened():
            raise VideoError("not a video that can be decoded")
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps < _MOST_FPS else _USUAL_FPS
        """Frames per second, 25 where the container does not announce them."""
        self.announced = max(0, round(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        """Number of frames that the container announces, which may be an estimate; 0 where it does not."""
        self.frames = 0
        """Number of frames that were grabbed."""

    def grab(self) -> bool:
        """Move to the next frame; False at the end.

        Raises:
            VideoError: the file ends before the frames that it announces.
        """
        if self._capture.grab():
            self.frames += 1
            return True
        if not self.frames:
            raise VideoError("damaged video: no frame can be decoded")
        if self.frames < _COMPLETE * self.announced:
            raise VideoError(f"damaged video: it ends after {self.frames} of {self.announced} frames")
        return False

    @property
    def time_s(self) -> float:
        """Time of the grabbed frame in seconds, 0 where the container does not announce it."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def decode(self) -> NDArray[np.uint8]:
        """The grabbed frame, see `decode_grabbed`."""
        return decode_grabbed(self._capture)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def decode_grabbed(capture: cv2.VideoCapture) -> NDArray[np.uint8]:
    """The frame that was grabbed last, (height, width, 3) uint8 blue, green, red.

    Raises:
        ImageError: it cannot be decoded.
    """
    try:
        done, pixels = capture.retrieve()
    except cv2.error as error:
        raise ImageError(f"a frame that cannot be decoded: {error.err}") from error
    if not done:
        raise ImageError("a frame that cannot be decoded")
    return np.asarray(pixels, np.uint8)
