"""The C libraries that decode: their messages, and warnings of Pillow, do not reach standard error."""

from __future__ import annotations

import logging
import warnings

import cv2


def configure_opencv() -> None:
    """Configure the libraries that decode pictures; to be called once, before any is decoded.

    OpenCV no longer writes to standard error, where an address could show a password; FFmpeg does not within
    PyAV. Pillow warns of parts of a picture that it passes over: the pixels matter alone.
    """
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    warnings.filterwarnings("ignore", module="PIL")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
