"""Videos that tests make with PyAV: any codec, container, interlacing, aspect, rotation and timestamps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

WIDTH, HEIGHT = 160, 96
TIME_BASE = Fraction(1, 90_000)
INTERLACED: Mapping[str, Mapping[str, str]] = {
    "mpeg2video": {"flags": "+ildct+ilme", "b": "4000000"},
    "libx264": {"x264-params": "tff=1", "crf": "16"},
    "mpeg4": {"flags": "+ildct+ilme", "b": "4000000"},
}
"""Options with which an encoder makes interlaced frames."""


def scene(number: float, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Picture `number` of a scene, grey (height, width) uint8: texture, and a bright bar that moves."""
    noise = np.random.default_rng(3).integers(40, 160, (height, width)).astype(np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 4)
    left = round(4 * number) % (width - 24)
    picture[height // 4 : 3 * height // 4, left : left + 24] = 220
    return np.asarray(picture, np.uint8)


def woven(number: int, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """An interlaced picture: its even lines show the scene, its odd lines the scene half a picture later."""
    picture = scene(number, width, height)
    picture[1::2] = scene(number + 0.5, width, height)[1::2]
    return picture


def write(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    codec: str = "libx264",
    *,
    options: Mapping[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    times: Sequence[float] | None = None,
    fps: int = 25,
    aspect: Fraction | None = None,
    rotation: int = 0,
    container: str | None = None,
) -> Path:
    """Encode grey or colour pictures; `times` in seconds replace those of a constant rate."""
    with av.open(str(path), "w", format=container) as output:
        stream: VideoStream | None = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = cast(VideoStream, output.add_stream(codec, rate=fps, options=dict(options or {})))
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pix_fmt
                if codec != "mpeg4":
                    stream.codec_context.time_base = Fraction(1, fps) if times is None else TIME_BASE
                if aspect:
                    stream.codec_context.sample_aspect_ratio = aspect
                if rotation:
                    stream.set_display_rotation(rotation)
            frame = to_frame(picture, pix_fmt)
            frame.pts = number if times is None else round(times[number] / TIME_BASE)
            frame.time_base = Fraction(1, fps) if times is None else TIME_BASE
            output.mux(stream.encode(frame))
        assert stream is not None
        output.mux(stream.encode(None))
    return path


def to_frame(picture: NDArray[np.uint8], pix_fmt: str) -> av.VideoFrame:
    """A frame whose luma is that of the picture, in the limited range where the format has it."""
    if picture.ndim == 3:
        return av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pix_fmt)
    return av.VideoFrame.from_ndarray(picture, format="gray").reformat(format=pix_fmt)
