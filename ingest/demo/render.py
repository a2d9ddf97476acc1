"""Renderer of frames: backdrop, visitors from far to near, objects in front of them, sensor noise."""

from __future__ import annotations

import math
import zlib

import cv2
import numpy as np

from ingest.demo.backdrop import BACKDROPS, Layer
from ingest.demo.figure import Area, draw_figure, foot_shadow
from ingest.demo.routes import Pose
from ingest.demo.sprites import Gray
from ingest.demo.view import HEIGHT, WIDTH
from ingest.demo.visitors import Visitor, kind_of, present

_NOISE = 2.2
"""Standard deviation of the sensor's noise."""
_NOISE_MEAN = 12
_MARGIN = 64
"""Pixels by which the noise is larger than a frame: each frame uses another part."""


class Renderer:
    """Draws the frames of one camera; they depend on its name and the time only."""

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._seed = zlib.crc32(camera.encode())
        rng = np.random.default_rng(self._seed)
        self._backdrop = BACKDROPS[kind_of(camera)](rng)
        self._shadow = foot_shadow()
        self._noise = _noise(rng)

    def frame(self, time: float) -> Gray:
        """The picture (480, 640) uint8 at a time in seconds since the epoch."""
        frame = self._backdrop.background.copy()
        people = [(visitor.at(time), visitor) for visitor in present(self._camera, time)]
        people.sort(key=lambda person: -person[0].z)
        front = self._backdrop.front
        behind = [self._draw(frame, pose, visitor, time) for pose, visitor in people if pose.z > front.depth]
        _cover(frame, front, behind)
        for pose, visitor in people[len(behind) :]:
            self._draw(frame, pose, visitor, time)
        return self._add_sensor(frame, time)

    def _draw(self, frame: Gray, pose: Pose, visitor: Visitor, time: float) -> Area:
        return draw_figure(frame, self._backdrop.view, visitor, pose, time, self._shadow)

    def _add_sensor(self, frame: Gray, time: float) -> Gray:
        """Add noise that is new in every frame, and light that varies a little."""
        rng = np.random.default_rng((self._seed, round(time * 1000)))
        top, left = rng.integers(0, _MARGIN, 2).tolist()
        noise = self._noise[top : top + HEIGHT, left : left + WIDTH]
        darker = _NOISE_MEAN - 1.6 * math.sin(time / 5) - 0.6 * math.sin(time * 2.1)
        return np.asarray(cv2.convertScaleAbs(cv2.add(frame, noise), beta=-darker), np.uint8)


def _cover(frame: Gray, layer: Layer, areas: list[Area]) -> None:
    """Draw a layer again in front of the visitors who were drawn into these areas."""
    for area in areas:
        if frame[area].size:
            alpha = np.ascontiguousarray(layer.alpha[area])
            front, behind = np.ascontiguousarray(layer.luminance[area]), np.ascontiguousarray(frame[area])
            frame[area] = cv2.blendLinear(front, behind, alpha, 1 - alpha)


def _noise(rng: np.random.Generator) -> Gray:
    grain = rng.normal(size=(HEIGHT + _MARGIN, WIDTH + _MARGIN)).astype(np.float32)
    soft = cv2.GaussianBlur(grain, (0, 0), 0.5)
    return np.asarray(np.clip(soft / soft.std() * _NOISE + _NOISE_MEAN, 0, 255).round(), np.uint8)
