"""Frame encoding: from pixels to what the bus carries, which is luminance, scaled down, as baseline JPEG."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ingest.camera_source import Pixels
from media.images import BUS_FRAME, Gray
from media.pixels import luminance_of

LONGEST_SIDE = 4096
"""What the bus carries, in pixels (`bus.codec.MAX_SIDE`)."""
_LEAST_QUALITY, _QUALITY_STEP = 1, 15
_WIDEST = 16 / 9
"""Ratio of the sides up to which the longest side is what counts."""


def to_gray(pixels: Pixels, longest_side: int) -> Gray:
    """The luminance of `pixels`, scaled down where a side is longer than `longest_side`.

    A panorama, wider or taller than 16:9, may have as many pixels as a picture of 16:9 with that side: its
    faces would be too small otherwise. No side is longer than `LONGEST_SIDE`.
    """
    gray = luminance_of(pixels)
    height, width = gray.shape
    longest, shortest = max(height, width), min(height, width)
    same_area = longest_side / math.sqrt(_WIDEST * longest * shortest)
    scale = min(max(longest_side / longest, same_area), LONGEST_SIDE / longest)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    return gray


def encode_jpeg(gray: Gray, quality: int) -> bytes:
    """`gray` as baseline JPEG, the only kind that workers accept; `quality` from 1 to 100.

    A picture that would exceed `BUS_FRAME.bytes` gets a lower quality.
    """
    while True:
        _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= BUS_FRAME.bytes or quality <= _LEAST_QUALITY:
            return data.tobytes()
        quality = max(_LEAST_QUALITY, quality - _QUALITY_STEP)
