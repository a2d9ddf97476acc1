"""Settings of the C libraries behind OpenCV, which know the environment and global switches only."""

from __future__ import annotations

import os

import cv2


def prepare_opencv() -> None:
    """Make OpenCV fit for many cameras in one process; to be called once, before any video is opened.

    FFmpeg and OpenCV stop writing to standard error, where an address could show a password. And opening
    a camera no longer waits until every other one is open: by default OpenCV opens one at a time, so that
    a camera that never answers would hold up all others (FFmpeg itself has been safe to use from several
    threads since 4.0).
    """
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ["OPENCV_FFMPEG_IS_THREAD_SAFE"] = "1"
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
