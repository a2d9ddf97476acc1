"""A grey canvas on which a shop is drawn, in metres of its view."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.demo.view import HEIGHT, WIDTH, View

Place = tuple[float, float, float]
"""x, y, z in metres."""
Span = tuple[float, float]
"""From and to, in metres."""
Plane = NDArray[np.float32]

FINE = 2
"""Resolution of a canvas relative to a frame: edges become smooth."""

_SUBPIXEL = 4


class Canvas:
    """Luminance from 0 to 255 and, for objects in front of visitors, their coverage from 0 to 1."""

    def __init__(self, view: View, tone: float = 0.0) -> None:
        self.view = view
        self.luminance: Plane = np.full((HEIGHT * FINE, WIDTH * FINE), tone, np.float32)
        self.alpha: Plane = np.zeros_like(self.luminance)

    def fill(self, places: Sequence[Place], tone: float, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Fill a polygon; `soft` blurs its edge by so many pixels of the frame."""
        tone = self.view.hazy(tone, sum(z for _, _, z in places) / len(places))
        self.pour([self.view.project(*place) for place in places], tone, opacity, soft)

    def pour(
        self, corners: Sequence[tuple[float, float]], tone: float, opacity: float = 1.0, soft: float = 0.0
    ) -> None:
        """Fill a polygon given in the frame's pixels."""
        points = np.clip(np.asarray(corners) * FINE, -8000, 8000)
        margin = 1 + 3 * soft * FINE
        left, top = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int).tolist()
        right, bottom = np.ceil(points.max(axis=0) + margin).astype(int).tolist()
        room = (slice(top, bottom + 1), slice(left, right + 1))
        if not self.luminance[room].size:
            return
        mask = np.zeros(self.luminance[room].shape, np.uint8)
        fixed = np.round((points - [left, top]) * 2**_SUBPIXEL).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SUBPIXEL)
        cover = mask.astype(np.float32) * (opacity / 255)
        if soft:
            cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), soft * FINE), np.float32)
        self.luminance[room] += (tone - self.luminance[room]) * cover
        self.alpha[room] += (1 - self.alpha[room]) * cover

    def upright(
        self, x: Span, y: Span, z: float, tone: float, opacity: float = 1.0, soft: float = 0.0
    ) -> None:
        """Fill a rectangle that faces the camera."""
        (x0, x1), (y0, y1) = x, y
        self.fill([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], tone, opacity, soft)

    def level(self, x: Span, y: float, z: Span, tone: float, opacity: float = 1.0, soft: float = 0.0) -> None:
        """Fill a horizontal rectangle."""
        (x0, x1), (z0, z1) = x, z
        self.fill([(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)], tone, opacity, soft)

    def sideways(self, x: float, y: Span, z: Span, tone: float, opacity: float = 1.0) -> None:
        """Fill a rectangle that faces to the side."""
        (y0, y1), (z0, z1) = y, z
        self.fill([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], tone, opacity)

    def box(self, x: Span, y: Span, z: Span, tones: tuple[float, float, float]) -> None:
        """Draw a box, with the tones of its front, top and sides."""
        front, top, side = tones
        if y[1] < self.view.height:
            self.level(x, y[1], z, top)
        if x[0] > 0:
            self.sideways(x[0], y, z, side)
        if x[1] < 0:
            self.sideways(x[1], y, z, side)
        self.upright(x, y, z[0], front)

    def put(self, other: Canvas) -> None:
        """Draw another canvas on top."""
        self.luminance += (other.luminance - self.luminance) * other.alpha

    def glow(self, amount: float, sigma: float, above: float) -> None:
        """Let places brighter than `above` lighten their surroundings."""
        bright = np.maximum(self.luminance - above, 0)
        halo = np.asarray(cv2.GaussianBlur(bright, (0, 0), sigma * FINE), np.float32)
        self.luminance += amount * halo

    def finished(self) -> tuple[NDArray[np.uint8], Plane]:
        """Luminance (480, 640) uint8 and coverage (480, 640) float32 in the frame's size."""
        luminance, alpha = (
            cv2.resize(plane, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            for plane in (self.luminance, self.alpha)
        )
        return np.clip(luminance, 0, 255).astype(np.uint8), np.asarray(alpha, np.float32)
