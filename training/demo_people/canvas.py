"""The canvas for aligning, averaging and drawing heads, and its drawing tools."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""(HEIGHT, WIDTH) float32: luminance from 0 to 255, or a share from 0 to 1."""
Points = Sequence[tuple[float, float]]
"""An outline: x from the face's vertical middle, y from the top, in pixels."""

WIDTH, HEIGHT = 176, 248
EYES = 48.0
"""Distance between the eyes' centres, in pixels."""
MIDDLE, EYE_LINE = 88.0, 104.0

Y, X = (axis.astype(np.float32) for axis in np.mgrid[0:HEIGHT, 0:WIDTH])

_OVERSAMPLING = 3
"""Factor by which outlines are rasterised more finely, for smooth distances."""
_MARGIN = 30
"""Pixels around the canvas into which outlines may extend."""
_LIGHT = np.array([-0.3, -0.5, 0.8]) / np.linalg.norm([-0.3, -0.5, 0.8])
"""Direction to the light: left of the viewer, above, and in front."""


def ramp(values: NDArray[np.floating]) -> Plane:
    """A smooth step from 0 at 0 to 1 at 1."""
    t = np.clip(values, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def blur(plane: Plane, sigma: float) -> Plane:
    """Blur a plane with a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)


def mirror(half: Points) -> Points:
    """A closed outline from its right half, given from top to bottom."""
    return [*half, *((-x, y) for x, y in reversed(half))]


def distance_inside(outline: Points) -> Plane:
    """Distance in pixels to the rounded outline, positive inside and negative outside."""
    curve = _round_corners(np.asarray([(MIDDLE + x, y) for x, y in outline], np.float64))
    size = ((HEIGHT + 2 * _MARGIN) * _OVERSAMPLING, (WIDTH + 2 * _MARGIN) * _OVERSAMPLING)
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(
        mask, [np.round(((curve + _MARGIN) * _OVERSAMPLING - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4
    )
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    edge = _MARGIN * _OVERSAMPLING
    inner = cv2.GaussianBlur(distance, (0, 0), _OVERSAMPLING)[edge:-edge, edge:-edge] / _OVERSAMPLING
    return np.asarray(cv2.resize(inner, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.float32)


def coverage(distance: Plane, softness: float = 2.5) -> Plane:
    """The share of each pixel that a shape covers, with an edge `softness` pixels wide."""
    return ramp(distance / softness + 0.5)


def relief(distance: Plane, depth: float, strength: float = 0.5) -> Plane:
    """Shading (1: lit from the front) of a convex shape with a slope `depth` pixels wide."""
    rim = np.clip(distance / depth, 0, 1)
    height = blur(np.asarray(np.sqrt(rim * (2 - rim)) * depth, np.float32), depth / 5)
    across, down = (cv2.Sobel(height, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0))
    facing = (_LIGHT[2] - across * _LIGHT[0] - down * _LIGHT[1]) / np.sqrt(across**2 + down**2 + 1)
    return np.asarray(1 - strength + strength * np.clip(facing / _LIGHT[2], 0, 1.5), np.float32)


class Painting:
    """A stack of planes: luminance and coverage of the result."""

    def __init__(self) -> None:
        self.luminance: Plane = np.zeros((HEIGHT, WIDTH), np.float32)
        self.alpha: Plane = np.zeros((HEIGHT, WIDTH), np.float32)

    def add(self, luminance: Plane | float, alpha: Plane) -> None:
        """Add a plane on top."""
        total = alpha + self.alpha * (1 - alpha)
        mixed = luminance * alpha + self.luminance * self.alpha * (1 - alpha)
        self.luminance = np.where(total > 1e-4, mixed / np.maximum(total, 1e-4), luminance).astype(np.float32)
        self.alpha = total

    def shade(self, darkness: Plane) -> None:
        """Darken the painting by a share from 0 to 1."""
        self.luminance = self.luminance * (1 - darkness)


def _round_corners(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chaikin's corner cutting (1974), four times."""
    for _ in range(4):
        successors = np.roll(corners, -1, axis=0)
        pairs = np.stack([0.75 * corners + 0.25 * successors, 0.25 * corners + 0.75 * successors], axis=1)
        corners = pairs.reshape(-1, 2)
    return corners
