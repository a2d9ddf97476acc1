"""Sprites: pictures that are pasted into frames, kept in several sizes to be smooth at every distance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Plane = NDArray[np.float32]

_LEVELS = 5


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture with its coverage, at full, half, quarter ... size.

    `anchor` is the point x, y, in pixels of the full size, by which it is placed.
    """

    luminances: tuple[Gray, ...]
    alphas: tuple[Gray, ...]
    anchor: tuple[float, float]

    @classmethod
    def of(cls, luminance: Gray, alpha: Gray, anchor: tuple[float, float]) -> Sprite:
        """A sprite of luminance and coverage, both (height, width) uint8."""
        luminances, alphas = [luminance], [alpha]
        for level in range(1, _LEVELS):
            size = max(1, luminance.shape[1] >> level), max(1, luminance.shape[0] >> level)
            luminances.append(np.asarray(cv2.resize(luminance, size, interpolation=cv2.INTER_AREA), np.uint8))
            alphas.append(np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.uint8))
        return cls(tuple(luminances), tuple(alphas), anchor)

    def paste(
        self,
        frame: Gray,
        at: tuple[float, float],
        scale: float,
        tilt: float = 0.0,
        gain: float = 1.0,
        offset: float = 0.0,
    ) -> None:
        """Draw it into a frame, in place, its anchor at column and row `at`.

        `scale` is in frame pixels per sprite pixel, `tilt` in radians clockwise; luminance becomes
        `gain` times itself plus `offset`.
        """
        level = min(max(int(-math.log2(scale)), 0), _LEVELS - 1)
        luminance, alpha = self.luminances[level], self.alphas[level]
        height, width = luminance.shape
        full = self.luminances[0].shape
        cos, sin = scale * math.cos(tilt), scale * math.sin(tilt)
        turn = np.array([[cos, -sin], [sin, cos]])
        corners = np.array([[0, 0], [full[1], 0], [full[1], full[0]], [0, full[0]]]) - self.anchor
        placed = corners @ turn.T + at
        left, top = np.maximum(np.floor(placed.min(axis=0)), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(placed.max(axis=0)), frame.shape[::-1]).astype(int).tolist()
        if left >= right or top >= bottom:
            return
        zoom = np.diag([full[1] / width, full[0] / height])
        matrix = np.column_stack([turn @ zoom, np.asarray(at) - turn @ self.anchor - [left, top]])
        # OpenCV counts from pixel centres, half a pixel from where these coordinates count.
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        size = (right - left, bottom - top)
        drawn = cv2.warpAffine(
            luminance, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        cover = cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        if (gain, offset) != (1.0, 0.0):
            drawn = cv2.convertScaleAbs(drawn, alpha=gain, beta=offset)
        room = frame[top:bottom, left:right]
        room[...] = cv2.blendLinear(drawn, np.ascontiguousarray(room), cover, 1 - cover)
