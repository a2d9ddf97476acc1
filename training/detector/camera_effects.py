"""What cameras do to a picture: light, blur, noise and compression."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.samples import Picture, log_uniform


def degrade(pixels: Picture, rng: np.random.Generator) -> Picture:
    """A square grey picture (s, s) uint8 as a camera might have taken it."""
    side = len(pixels)
    pixels = _in_other_light(pixels, rng)
    if rng.random() < 0.12:
        less = int(side * rng.uniform(0.5, 0.85))
        small = cv2.resize(pixels, (less, less), interpolation=cv2.INTER_AREA)
        pixels = np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.2:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
    if rng.random() < 0.3:
        top, left = (int(v) for v in rng.integers(0, side, 2))
        grain = _grain(2 * side)[top : top + side, left : left + side]
        strength = rng.uniform(0.03, 0.35)
        noisy = cv2.addWeighted(pixels, 1.0, grain, strength, 0.0, dtype=cv2.CV_8U)
        pixels = np.asarray(noisy, np.uint8)
    if rng.random() < 0.25:
        quality = int(rng.integers(25, 90))
        _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)
    return pixels


def _in_other_light(pixels: Picture, rng: np.random.Generator) -> Picture:
    contrast, gamma = rng.uniform(0.55, 1.25), log_uniform(0.6, 1.7, rng)
    light = np.linspace(0, 1, 256, dtype=np.float32) ** gamma - 0.5
    table = (light * contrast + 0.5 + rng.uniform(-0.18, 0.18)) * 255
    return np.asarray(cv2.LUT(pixels, np.clip(table, 0, 255).astype(np.uint8)), np.uint8)


@cache
def _grain(side: int) -> NDArray[np.int8]:
    return np.random.default_rng(0).normal(0, 32, (side, side)).astype(np.int8)
