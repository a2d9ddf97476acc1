"""Video files that tests make."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def recording(path: Path, frames: int = 30, fps: float = 15) -> Path:
    """A bright bar that moves to the right, 320x240."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), fps, (320, 240))
    for number in range(frames):
        picture = np.full((240, 320, 3), 60, np.uint8)
        picture[:, 5 * number : 5 * number + 30] = 200
        writer.write(picture)
    writer.release()
    return path
