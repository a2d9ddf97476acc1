"""The C libraries behind OpenCV: they read the environment, and write to standard error directly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_STDERR = 2
_MOST_BYTES = 65_536


def configure_opencv() -> None:
    """Configure OpenCV for many cameras in one process; to be called once, before any video is opened.

    FFmpeg and OpenCV no longer write to standard error, where an address could show a password. Cameras are
    opened in parallel: by default OpenCV opens one at a time, so that a camera that never answers would
    block all others (FFmpeg itself has been thread-safe since 4.0).
    """
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ["OPENCV_FFMPEG_IS_THREAD_SAFE"] = "1"
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class CapturedText:
    """The text that was written to standard error while it was diverted; empty until then."""

    text = ""


@contextmanager
def diverted_stderr() -> Iterator[CapturedText]:
    """Keep standard error clean within the block; afterwards the result holds what was written.

    Diverts descriptor 2 of the whole process, and therefore what other threads write, too: only for
    programs that do one thing at a time, never for a pipeline.
    """
    captured = CapturedText()
    kept = os.dup(_STDERR)
    read_end, write_end = os.pipe()
    # A full pipe must not block the library that writes: the rest of its text is not needed.
    os.set_blocking(write_end, False)
    os.set_blocking(read_end, False)
    os.dup2(write_end, _STDERR)
    os.close(write_end)
    try:
        yield captured
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        try:
            captured.text = os.read(read_end, _MOST_BYTES).decode(errors="replace")
        except BlockingIOError:
            captured.text = ""
        finally:
            os.close(read_end)
