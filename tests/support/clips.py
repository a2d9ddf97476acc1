"""The real clips of the data folder as a worker receives them: grey, decoded from JPEG."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.offline.clips import Clip

PAUSE = "face-demographics-walking-and-pause"
WALKING = "face-demographics-walking"
WOMAN = "head-pose-face-detection-female"
MAN = "head-pose-face-detection-male"
AISLE = "store-aisle-detection"
ONE_BY_ONE = "one-by-one-person-detection"
_QUALITY = 85


def data_folder() -> Path:
    """The data folder; skips the test without one."""
    data = os.environ.get("MIEN_DATA")
    if not data:
        pytest.skip("MIEN_DATA is not set to the data folder")
    return Path(data)


def frames(name: str, every: float = 0.0) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Time in seconds and grey picture of each frame, or of one frame per `every` seconds."""
    with Clip(data_folder() / "videos" / f"{name}.mp4") as clip:
        for frame in clip.frames(every):
            yield frame.time_s, through_jpeg(frame.gray)


def through_jpeg(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture, encoded as JPEG and decoded again."""
    code = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
