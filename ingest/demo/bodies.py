"""Bodies: coats, trousers and shoes, drawn and shaded as soft shapes.

Places are in metres from a body's middle line, to the right, and from its anchor, down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ingest.demo.sprites import Plane, Sprite

COLLAR = 0.325
"""Metres from the top of the head down to the pit of the neck, where a torso is anchored."""
TORSO_TO_HIPS = 0.5
"""Metres from there down to where legs are anchored."""
LEG = 0.86
"""Metres from there down to the ground."""
TORSO_SCALE, LEGS_SCALE = 300.0, 180.0
"""Sprite pixels per metre; legs are only seen from a distance."""
STEPS = 8
"""Pictures of the legs in one stride."""

_LIGHT = (0.45, 0.35)
"""How much brighter slopes to the left and to the top are."""

Shape = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Outfit:
    """What a visitor wears; tones from 0 to 255, `build` is 1 for shoulders about 44 cm wide."""

    style: str
    """coat, jacket or jumper"""
    coat: float
    lining: float
    trousers: float
    build: float


@cache
def torso(outfit: Outfit, from_behind: bool = False) -> Sprite:
    """Shoulders, arms and coat, anchored at the pit of the neck."""
    drawing = _Drawing((0.8, 0.95), 0.08, TORSO_SCALE, outfit.build)
    hem = {"coat": 0.80, "jacket": 0.56, "jumper": 0.54}[outfit.style]
    sleeve = [
        (0.12, 0.0), (0.215, 0.008), (0.245, 0.08), (0.252, 0.3), (0.24, 0.55), (0.188, 0.56), (0.175, 0.3),
        (0.14, 0.1),
    ]  # fmt: skip
    hand = [(0.19, 0.5), (0.236, 0.5), (0.238, 0.59), (0.214, 0.64), (0.192, 0.6)]
    trunk = [
        (0, 0.012), (0.05, -0.03), (0.085, -0.01), (0.19, 0.015), (0.205, 0.1), (0.172, 0.32), (0.185, hem),
        (0, hem + 0.01),
    ]  # fmt: skip
    for side in (-1, 1):
        drawing.add(_on(side, hand), 128, 0.012)
        drawing.add(_on(side, sleeve), 0.93 * outfit.coat, 0.035, folds=0.05)
    drawing.add(_both(trunk), outfit.coat, 0.075, folds=0.045)
    if not from_behind:
        _dress(drawing, outfit, hem)
    return drawing.sprite()


@cache
def legs(trousers: float, build: float, step: int) -> Sprite:
    """Trousers of a tone and shoes at one of the STEPS of a stride, anchored at the hips."""
    drawing = _Drawing((0.5, 1.0), 0.06, LEGS_SCALE, build)
    phase = 2 * np.pi * step / STEPS
    for side in (-1, 1):
        lift = 0.09 * max(0.0, float(np.sin(phase)) * side)
        foot = LEG - 0.01 - lift
        limb = [
            (0.0, -0.04), (0.145, -0.04), (0.15, 0.1), (0.12, 0.42), (0.105, foot - 0.06),
            (0.035, foot - 0.06), (0.02, 0.4),
        ]  # fmt: skip
        shoe = [
            (0.03, foot - 0.1), (0.1, foot - 0.1), (0.125, foot - 0.005), (0.11, foot + 0.015),
            (0.025, foot + 0.015), (0.02, foot - 0.01),
        ]  # fmt: skip
        drawing.add(_on(side, shoe), 46, 0.015)
        drawing.add(_on(side, limb), trousers * (1 - 1.6 * lift), 0.04, folds=0.04)
    return drawing.sprite()


def _dress(drawing: _Drawing, outfit: Outfit, hem: float) -> None:
    """Draw what distinguishes the front from the back: collar, lapels, seams, buttons."""
    dark = 0.62 * outfit.coat
    if outfit.style == "jumper":
        drawing.add(_both([(0, 0.0), (0.05, -0.05), (0.08, -0.025), (0.06, 0.012), (0, 0.045)]), dark, 0.014)
        drawing.add(_both([(0, hem - 0.05), (0.179, hem - 0.05), (0.181, hem), (0, hem)]), dark, 0.02)
        return
    opening = [(-0.06, -0.04), (0, 0.0), (0.06, -0.04), (0.035, 0.06), (0, 0.2), (-0.035, 0.06)]
    drawing.add(opening, outfit.lining, 0.02)
    drawing.line((0, 0.18), (0, hem), dark)
    lapel = [(0.05, -0.065), (0.08, -0.045), (0.092, 0.06), (0.05, 0.11), (0.004, 0.2), (0.034, 0.06)]
    turned_up = 1.1 if outfit.style == "coat" else 1.25
    for side in (-1, 1):
        drawing.add(_on(side, lapel), turned_up * outfit.coat, 0.014)
        drawing.line((side * 0.06, 0.42), (side * 0.13, 0.45), dark)
    for y in (0.27, 0.37, 0.47) if outfit.style == "coat" else ():
        drawing.add([(0.016, y), (0.03, y), (0.03, y + 0.015), (0.016, y + 0.015)], 0.4 * outfit.coat, 0.004)


def _on(side: int, shape: Shape) -> Shape:
    return [(side * x, y) for x, y in shape]


def _both(half: Shape) -> Shape:
    return [*half, *((-x, y) for x, y in reversed(half))]


class _Drawing:
    """Overlapping shapes, each shaded as if it were convex."""

    def __init__(self, size: tuple[float, float], above: float, scale: float, build: float) -> None:
        width, height = (round(side * scale) for side in size)
        self._across = np.array([build * scale, scale])
        self._anchor = (width / 2, above * scale)
        self._scale = scale
        self._luminance: Plane = np.zeros((height, width), np.float32)
        self._alpha: Plane = np.zeros((height, width), np.float32)

    def add(self, shape: Shape, tone: float, roundness: float, folds: float = 0.0) -> None:
        """Add a shape whose slopes are `roundness` metres wide; `folds` is how much its tone varies."""
        cover = self._mask(shape, rounds=3)
        slope = roundness * self._scale
        height = cv2.GaussianBlur(cover, (0, 0), slope)
        across, down = (cv2.Sobel(height, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 * slope for dx in (1, 0))
        facing = 0.7 + 0.3 * height - 0.7 * (-across * _LIGHT[0] - down * _LIGHT[1])
        light = np.clip(facing, 0.35, 1.25) * (1 + folds * _folds(cover.shape, self._scale))
        self._lay(np.asarray(tone * light, np.float32), cover)

    def line(self, start: tuple[float, float], end: tuple[float, float], tone: float) -> None:
        """Add a seam, 8 mm wide."""
        across = np.array([end[1] - start[1], start[0] - end[0]])
        half = across / np.linalg.norm(across) * 0.004
        ends = np.array([start, end])
        corners = np.vstack([ends + half, ends[::-1] - half])
        cover = cv2.GaussianBlur(self._mask(corners.tolist(), rounds=0), (0, 0), 1)
        self._lay(np.full_like(self._luminance, tone), np.asarray(cover * 0.8, np.float32))

    def sprite(self) -> Sprite:
        """The drawing as a sprite."""
        luminance, alpha = np.clip(self._luminance, 0, 255), 255 * self._alpha
        return Sprite.of(luminance.astype(np.uint8), alpha.astype(np.uint8), self._anchor)

    def _mask(self, shape: Shape, rounds: int) -> Plane:
        corners = np.asarray(shape, np.float64) * self._across + self._anchor
        for _ in range(rounds):
            following = np.roll(corners, -1, axis=0)
            pairs = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], axis=1)
            corners = pairs.reshape(-1, 2)
        mask = np.zeros(self._alpha.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        return np.asarray(mask / np.float32(255), np.float32)

    def _lay(self, luminance: Plane, cover: Plane) -> None:
        total = cover + self._alpha * (1 - cover)
        mixed = luminance * cover + self._luminance * self._alpha * (1 - cover)
        self._luminance = np.asarray(mixed / np.maximum(total, 1e-4), np.float32)
        self._alpha = total


@cache
def _folds(shape: tuple[int, ...], scale: float) -> Plane:
    """Noise of standard deviation 1, in vertical folds."""
    noise = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    folds = cv2.GaussianBlur(noise, (0, 0), sigmaX=scale / 60, sigmaY=scale / 19)
    return np.asarray(folds / folds.std(), np.float32)
