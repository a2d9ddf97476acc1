"""Data augmentation: random views of face pictures that imitate variations of cameras and detectors.

Geometry is one affine transform per picture, directly from the source to the input size, around the same
square that `inference.crops` cuts. Other changes imitate cheap optics and codecs: gamma, contrast, low
resolution, blur, JPEG, covered parts. `mix_up` blends faces (mixup).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.classifier.losses import Targets


@dataclass(frozen=True)
class Jitter:
    """Limits of the random change of a crop's square."""

    rotation: float
    """Largest rotation to either side, in radians."""
    zoom: float
    """Largest factor by which the side grows or shrinks."""
    shift: float
    """Largest shift along each axis, as a share of the side."""
    mirror: bool
    """Whether half of the crops are mirrored."""


VIEW_JITTER = Jitter(rotation=np.deg2rad(15), zoom=1.25, shift=0.10, mirror=True)
"""Between two views of a picture."""
FRAME_JITTER = Jitter(rotation=np.deg2rad(3), zoom=1.06, shift=0.04, mirror=False)
"""Between two frames of a clip: like a detector's boxes around a face that does not move."""
NO_JITTER = Jitter(rotation=0.0, zoom=1.0, shift=0.0, mirror=False)

MIN_FAR_SIDE, MAX_FAR_SIDE = 14, 28
"""Side in pixels to which a crop is reduced to imitate a distant face."""
ERASED_SHARE = 0.25
"""Share of the pictures that lose a rectangle."""


def random_views(
    images: NDArray[np.uint8],
    squares: NDArray[np.float32],
    size: int,
    rng: np.random.Generator,
    frames: int | None = None,
) -> NDArray[np.uint8]:
    """One random view (n, size, size) uint8 of each picture (n, h, w) around its square (n, 3).

    With `frames`, clips (n, frames, size, size) whose view moves slightly from frame to frame.
    """
    placed = _placements(squares, size, VIEW_JITTER, rng)
    if frames is None:
        return _camera_views(images, placed, size, rng)
    return np.stack(
        [_camera_views(images, _jitter_frame(placed, size, rng), size, rng) for _ in range(frames)], axis=1
    )


def plain_views(
    images: NDArray[np.uint8],
    squares: NDArray[np.float32],
    size: int,
    rng: np.random.Generator,
    frames: int | None = None,
) -> NDArray[np.uint8]:
    """Each picture's square, unchanged (n, size, size) uint8; with `frames`, clips in which it only moves."""
    placed = _placements(squares, size, NO_JITTER, rng)
    if frames is None:
        return _warp(images, placed, size)
    return np.stack([_warp(images, _jitter_frame(placed, size, rng), size) for _ in range(frames)], axis=1)


def degrade(view: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Reduce the detail of one picture (size, size) in place, in one of three ways; most often not at all."""
    size = len(view)
    kind = rng.random()
    if kind < 0.2:
        small = int(rng.integers(MIN_FAR_SIDE, MAX_FAR_SIDE + 1))
        few = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
        view[:] = cv2.resize(few, (size, size), interpolation=cv2.INTER_LINEAR)
    elif kind < 0.3:
        view[:] = cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.4, 1.2)))
    elif kind < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 80))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", view, quality)[1], cv2.IMREAD_GRAYSCALE)
        view[:] = np.asarray(decoded, np.uint8)


def erase(view: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Random erasing (Zhong et al. 2017): fill one rectangle of a picture (size, size) in place."""
    size = len(view)
    high, wide = rng.integers(size // 8, size // 2, 2)
    top, left = rng.integers(0, size - high), rng.integers(0, size - wide)
    view[top : top + high, left : left + wide] = rng.integers(0, 256)


def mix_up(
    pictures: NDArray[np.float32], targets: Targets, alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Targets]:
    """Mixup (Zhang et al. 2018): blend each picture and its targets with another of the same group.

    The weight is drawn per picture from Beta(alpha, alpha); alpha 0 changes nothing.
    """
    if not alpha:
        return pictures, targets
    other = rng.permutation(len(pictures))
    own = rng.beta(alpha, alpha, len(pictures)).astype(np.float32)

    def mixed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        share = own.reshape(-1, *[1] * (rows.ndim - 1))
        return share * rows + (1 - share) * rows[other]

    return mixed(pictures), {head: mixed(rows) for head, rows in targets.items()}


def _camera_views(
    images: NDArray[np.uint8], placements: NDArray[np.float64], size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Crops (n, size, size) at their placements (n, 2, 3), degraded as by cheap cameras."""
    out = _warp(images, placements, size)
    for view in out:
        degrade(view, rng)
    toned = _change_tones(out, rng)
    for row in np.flatnonzero(rng.random(len(toned)) < ERASED_SHARE):
        erase(toned[row], rng)
    return toned


def _warp(images: NDArray[np.uint8], placements: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Crops (n, size, size) at their placements (n, 2, 3)."""
    out = np.empty((len(images), size, size), np.uint8)
    for view, image, to_source in zip(out, images, placements, strict=True):
        cv2.warpAffine(
            image,
            to_source,
            (size, size),
            dst=view,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return out


def _placements(
    squares: NDArray[np.float32], size: int, jitter: Jitter, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Random matrices (n, 2, 3) from view pixels to source pixels, around squares (n, 3)."""
    n = len(squares)
    x, y, side = squares.T.astype(np.float64)
    zoom, turn = np.log(jitter.zoom), jitter.rotation
    step = side / size * np.exp(rng.uniform(-zoom, zoom, n))
    angle = rng.uniform(-turn, turn, n)
    mirror = rng.choice([-1.0, 1.0], n) if jitter.mirror else np.ones(n)
    cos, sin = step * np.cos(angle), step * np.sin(angle)
    rotation = np.stack([np.stack([mirror * cos, -sin], 1), np.stack([mirror * sin, cos], 1)], 1)
    shifted = rng.uniform(-jitter.shift, jitter.shift, (n, 2)) * side[:, None]
    origin = np.stack([x, y], 1) + shifted - 0.5 - rotation.sum(axis=2) * (size - 1) / 2
    return np.concatenate([rotation, origin[:, :, None]], axis=2)


def _jitter_frame(
    placements: NDArray[np.float64], size: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Placements (n, 2, 3) after a small random movement."""
    view = np.tile(np.array([size / 2, size / 2, size], np.float32), (len(placements), 1))
    movement = _placements(view, size, FRAME_JITTER, rng)
    moved = placements[:, :, :2] @ movement
    moved[:, :, 2] += placements[:, :, 2]
    return np.asarray(moved)


def _change_tones(views: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change gamma, contrast and brightness, drawn per picture."""
    n = len(views)
    gamma = np.exp(rng.uniform(-0.4, 0.4, (n, 1)))
    contrast = rng.uniform(0.7, 1.2, (n, 1))
    brightness = rng.uniform(-0.1, 0.1, (n, 1))
    ramp = np.linspace(0, 1, 256)[None]
    curves = ((ramp**gamma - 0.5) * contrast + 0.5 + brightness).clip(0, 1) * 255
    rows = np.arange(n)[:, None, None]
    return curves.round().astype(np.uint8)[rows, views]
