"""Pieces of photographs, cut, turned and pasted, with the faces in them."""

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.scenes import Scene

Picture = NDArray[np.uint8]
Boxes = NDArray[np.float32]
Box = tuple[float, float, float, float]


@dataclass
class Sample:
    """A picture (h, w) uint8 and its faces: boxes (n, 4) x y w h in pixels, and the score (n,) due to each.

    A place whose score is not a number does not count, whatever the network's output for it.
    """

    pixels: Picture
    boxes: list[Box] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def add(self, box: Box, score: float) -> None:
        """Keep a face; what is seen of one mostly outside the picture becomes a place that does not count."""
        x, y, w, h = box
        height, width = self.pixels.shape
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        if right - left < 3 or bottom - top < 3:
            return
        inside = 0 <= x + w / 2 < width and 0 <= y + h / 2 < height
        seen = (right - left) * (bottom - top) / (w * h)
        counts = inside and seen > 0.55 and not math.isnan(score)
        self.boxes.append(box if counts else (left, top, right - left, bottom - top))
        self.scores.append(score if counts else math.nan)

    def arrays(self) -> tuple[Boxes, NDArray[np.float32]]:
        """Boxes (n, 4) and scores (n,), both float32, as `targets.assign` takes them."""
        return np.array(self.boxes, np.float32).reshape(-1, 4), np.array(self.scores, np.float32)


def resize(pixels: Picture, width: int, height: int) -> Picture:
    """The picture (h, w) in another size."""
    how = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=how), np.uint8)


def crop_anywhere(
    scene: Scene,
    height: int,
    width: int,
    zoom: float,
    rng: np.random.Generator,
    around: Picture | None = None,
) -> Sample:
    """Any part of the scene, enlarged by `zoom`; `around` it as in `crop`."""
    h, w = scene.pixels.shape
    # Only so much of the photograph is left out, or of the picture left empty, as has to be.
    spare_x, spare_y = abs(w - width / zoom) / 2, abs(h - height / zoom) / 2
    centre = (w / 2 + rng.uniform(-spare_x, spare_x), h / 2 + rng.uniform(-spare_y, spare_y))
    return crop(scene, height, width, zoom, centre, (width / 2, height / 2), rng, around)


def crop(
    scene: Scene,
    height: int,
    width: int,
    zoom: float,
    source: tuple[float, float],
    at: tuple[float, float],
    rng: np.random.Generator,
    around: Picture | None = None,
) -> Sample:
    """The scene enlarged by `zoom`, slightly turned, its point `source` laid on the picture's `at`.

    What the scene leaves empty shows the photograph `around`, or one shade of grey where None.
    """
    angle = rng.normal(0, 5) if rng.random() < 0.5 else 0.0
    stretch = rng.uniform(0.92, 1.08)
    pixels, reduced = scene.pixels, 1.0
    if zoom < 0.6:
        reduced = zoom / 0.8
        small = cv2.resize(pixels, None, fx=reduced, fy=reduced, interpolation=cv2.INTER_AREA)
        pixels = np.asarray(small, np.uint8)
    cos, sin = np.cos(np.radians(angle)) * zoom, np.sin(np.radians(angle)) * zoom
    linear = np.array([[cos * stretch, sin * stretch], [-sin, cos]])
    shift = np.array(at) - linear @ np.array(source)
    # Boxes count pixels from the edge of the first one, `warpAffine` from its centre.
    from_centre = shift + linear @ (0.5, 0.5) / reduced - 0.5
    matrix = np.hstack([linear / reduced, from_centre[:, None]])
    border = int(rng.integers(0, 256)) if rng.random() < 0.5 else int(pixels[0, 0])
    ground = np.full((height, width), border, np.uint8) if around is None else resize(around, width, height)
    turned = cv2.warpAffine(pixels, matrix, (width, height), ground, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    sample = Sample(np.asarray(turned, np.uint8))
    for (x, y, w, h), score in zip(scene.boxes.tolist(), scene.scores.tolist(), strict=True):
        cx, cy = linear @ (x + w / 2, y + h / 2) + shift
        wide, high = w * zoom * stretch, h * zoom
        sample.add((cx - wide / 2, cy - high / 2, wide, high), score)
    return sample


def paste(
    pixels: Picture,
    patch: Picture,
    side: int,
    left: int,
    top: int,
    box: Box,
    rng: np.random.Generator,
) -> None:
    """Blend the ellipse around `box` of a square patch into the picture, in its light."""
    patch = resize(patch, side, side)
    x, y, w, h = box
    grow = rng.uniform(1.0, 1.35)
    mask = np.zeros((side, side), np.uint8)
    axes = (max(w * grow / 2, 2.0) * 2, max(h * grow / 2, 2.0) * 2)
    cv2.ellipse(mask, ((x + w / 2, y + h / 2), axes, 0.0), 255, -1)
    inset = max(side // 24, 1)
    mask[:inset] = mask[-inset:] = 0
    mask[:, :inset] = mask[:, -inset:] = 0
    soft = cv2.GaussianBlur(mask, (0, 0), max(side * rng.uniform(0.01, 0.07), 0.5))
    height, width = pixels.shape
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    there = pixels[y0:y1, x0:x1].astype(np.float32)
    piece = patch[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32)
    alpha = soft[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32) / 255
    piece += (there.mean() - piece.mean()) * rng.uniform(0.0, 0.8)
    pixels[y0:y1, x0:x1] = np.clip(there + (piece - there) * alpha, 0, 255).astype(np.uint8)


def overlaps(box: Boxes, others: Boxes) -> bool:
    """Whether a box (4,) touches any of others (n, 4)."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    return bool((high - low > 0).all(axis=1).any())


def flip(sample: Sample) -> None:
    """Mirror a sample in place, left for right."""
    width = sample.pixels.shape[1]
    sample.pixels = np.ascontiguousarray(sample.pixels[:, ::-1])
    sample.boxes = [(width - x - w, y, w, h) for x, y, w, h in sample.boxes]


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """A number from `low` to `high`, each factor as likely as any other."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
