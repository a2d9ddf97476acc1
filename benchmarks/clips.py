"""Real clips as camera input, in the length and size that a benchmark needs.

The clips are in `videos/` of the data folder; its README describes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, cycle, islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
"""(height, width) uint8 luminance."""

FPS = 15.0
"""Frames per second of the written clips, a common rate of shop cameras."""


_NOISE = 3.0
"""Standard deviation of the noise of a still scene, in grey levels."""
_STILL_FRAMES = 40


def two_faces(data: Path) -> list[Gray]:
    """A woman and a man who turn their heads, side by side: 640 x 480 pixels, faces about 150 pixels."""
    woman = read(data, "head-pose-face-detection-female")
    man = read(data, "head-pose-face-detection-male")
    pairs = zip(cycle(_append_reversed(woman)), _append_reversed(man), strict=False)
    return [np.hstack([_cut_middle(left), _cut_middle(right)]) for left, right in pairs]


def walking(data: Path) -> list[Gray]:
    """Three people walk up and stop: 640 x 360 pixels."""
    frames = read(data, "face-demographics-walking-and-pause")
    return [np.asarray(cv2.resize(frame, (640, 360)), np.uint8) for frame in frames]


def still(data: Path) -> list[Gray]:
    """A place without people, with the noise of a camera: 640 x 480 pixels."""
    place = read(data, "one-by-one-person-detection")[0]
    scene = cv2.resize(place, (640, 480)).astype(np.float32)
    random = np.random.default_rng(0)
    noisy = (scene + random.normal(0, _NOISE, scene.shape) for _ in range(_STILL_FRAMES))
    return [frame.round().clip(0, 255).astype(np.uint8) for frame in noisy]


WORKLOADS: dict[str, Callable[[Path], list[Gray]]] = {
    "two faces, 640x480": two_faces,
    "walking, 640x360": walking,
}


def repeat(frames: list[Gray], count: int) -> Iterator[Gray]:
    """`count` frames; after the last one the clip repeats."""
    return islice(cycle(frames), count)


def encode_jpegs(frames: list[Gray], count: int, quality: int) -> list[bytes]:
    """`count` frames, encoded as a capture encodes them."""
    encoded = [
        cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes() for frame in frames
    ]
    return list(islice(cycle(encoded), count))


def write_video(frames: list[Gray], count: int, path: Path) -> Path:
    """A video (MPEG-4 part 2) of `count` frames at `FPS`; returns its path."""
    height, width = frames[0].shape
    fourcc = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, FPS, (width, height), isColor=False)
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write this video")
    for frame in repeat(frames, count):
        writer.write(frame)
    writer.release()
    return path


def read(data: Path, name: str) -> list[Gray]:
    """All frames of a clip of the data folder."""
    path = data / "videos" / f"{name}.mp4"
    capture = cv2.VideoCapture(str(path))
    frames: list[Gray] = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), np.uint8))
    if not frames:
        raise OSError(f"{path}: no such clip; set MIEN_DATA to the data folder")
    return frames


def _append_reversed(frames: list[Gray]) -> list[Gray]:
    """The frames forwards, then backwards, so that nobody jumps when the clip repeats."""
    return list(chain(frames, frames[-2:0:-1]))


def _cut_middle(frame: Gray) -> Gray:
    """The middle of a 480 x 270 frame, 320 x 480 pixels."""
    height, width = frame.shape
    scaled = cv2.resize(frame, (round(width * 480 / height), 480))
    left = (scaled.shape[1] - 320) // 2
    return np.asarray(scaled[:, left : left + 320], np.uint8)
