"""The picture in which heads are aligned, averaged and drawn, and the tools to draw in it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""(HEIGHT, WIDTH) float32: luminance from 0 to 255, or a share from 0 to 1."""
Points = Sequence[tuple[float, float]]
"""An outline: x from the face's middle line, y from the top, in pixels."""

WIDTH, HEIGHT = 176, 248
EYES = 48.0
"""Distance between the eyes' centres, in pixels."""
MIDDLE, EYE_LINE = 88.0, 104.0

Y, X = (axis.astype(np.float32) for axis in np.mgrid[0:HEIGHT, 0:WIDTH])

_FINE = 3
"""Outlines are rasterised so many times finer, which makes their distances smooth."""
_BEYOND = 30
"""Pixels around the picture into which outlines may reach."""
_LIGHT = np.array([-0.3, -0.5, 0.8]) / np.linalg.norm([-0.3, -0.5, 0.8])
"""Towards the lamp: left of the viewer, above, and in front."""


def ramp(values: NDArray[np.floating]) -> Plane:
    """A smooth step from 0 at 0 to 1 at 1."""
    t = np.clip(values, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blurred(plane: Plane, sigma: float) -> Plane:
    """The plane under a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)


def mirrored(half: Points) -> Points:
    """A closed outline from its right half, given from top to bottom."""
    return [*half, *((-x, y) for x, y in reversed(half))]


def inside(outline: Points) -> Plane:
    """Distance in pixels to the rounded outline, positive inside and negative outside."""
    curve = _rounded(np.asarray([(MIDDLE + x, y) for x, y in outline], np.float64))
    size = ((HEIGHT + 2 * _BEYOND) * _FINE, (WIDTH + 2 * _BEYOND) * _FINE)
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [np.round(((curve + _BEYOND) * _FINE - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    edge = _BEYOND * _FINE
    inner = cv2.GaussianBlur(distance, (0, 0), _FINE)[edge:-edge, edge:-edge] / _FINE
    return np.asarray(cv2.resize(inner, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.float32)


def coverage(distance: Plane, softness: float = 2.5) -> Plane:
    """How much of each pixel a shape covers, its edge `softness` pixels wide."""
    return ramp(distance / softness + 0.5)


def relief(distance: Plane, depth: float, strength: float = 0.5) -> Plane:
    """Shading (1: as lit from the front) of a shape that bulges, its slope `depth` pixels wide."""
    rim = np.clip(distance / depth, 0, 1)
    height = blurred(np.asarray(np.sqrt(rim * (2 - rim)) * depth, np.float32), depth / 5)
    across, down = (cv2.Sobel(height, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0))
    facing = (_LIGHT[2] - across * _LIGHT[0] - down * _LIGHT[1]) / np.sqrt(across**2 + down**2 + 1)
    return np.asarray(1 - strength + strength * np.clip(facing / _LIGHT[2], 0, 1.5), np.float32)


class Painting:
    """Planes laid over one another: luminance and coverage of the whole."""

    def __init__(self) -> None:
        self.luminance: Plane = np.zeros((HEIGHT, WIDTH), np.float32)
        self.alpha: Plane = np.zeros((HEIGHT, WIDTH), np.float32)

    def lay(self, luminance: Plane | float, alpha: Plane) -> None:
        """Put a plane on top."""
        total = alpha + self.alpha * (1 - alpha)
        mixed = luminance * alpha + self.luminance * self.alpha * (1 - alpha)
        self.luminance = np.where(total > 1e-4, mixed / np.maximum(total, 1e-4), luminance).astype(np.float32)
        self.alpha = total

    def shade(self, darkness: Plane) -> None:
        """Darken what is there by a share from 0 to 1."""
        self.luminance = self.luminance * (1 - darkness)


def _rounded(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chaikin's corner cutting (1974), four times."""
    for _ in range(4):
        following = np.roll(corners, -1, axis=0)
        pairs = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], axis=1)
        corners = pairs.reshape(-1, 2)
    return corners
