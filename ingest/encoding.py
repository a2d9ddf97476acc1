"""Frame encoding: from pixels to what the bus carries, which is luminance, scaled down, as baseline JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.camera_source import Pixels
from media.images import Gray


def to_gray(pixels: Pixels, longest_side: int) -> Gray:
    """The luminance of `pixels`, scaled down where a side is longer than `longest_side`."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY) if pixels.ndim == 3 else pixels
    height, width = gray.shape
    scale = longest_side / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return np.asarray(gray, np.uint8)


def encode_jpeg(gray: Gray, quality: int) -> bytes:
    """`gray` as baseline JPEG, the only kind that workers accept; `quality` from 1 to 100."""
    _, data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
