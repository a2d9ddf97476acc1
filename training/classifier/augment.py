"""Random views of face pictures, as a camera and a detector would vary them.

Geometry is one affine sampling per picture, straight from the source to the network's size, around
the same square that `inference.crops` cuts. The rest imitates cheap optics and codecs: gamma,
contrast, few pixels, blur, JPEG, something held before the face. `blend` mixes faces (mixup).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.classifier.losses import Targets


@dataclass(frozen=True)
class Freedom:
    """How far a crop may stray from its square."""

    rotation: float
    """Largest turn to either side, in radians."""
    zoom: float
    """Largest change of its side: times or divided by this."""
    shift: float
    """Largest move along each axis, as a share of its side."""
    mirror: bool
    """Whether half of the crops are mirrored."""


VIEW = Freedom(rotation=np.deg2rad(15), zoom=1.25, shift=0.10, mirror=True)
"""Between two views of a picture."""
UNREST = Freedom(rotation=np.deg2rad(3), zoom=1.06, shift=0.04, mirror=False)
"""Between two frames of a clip: as a detector's boxes around a face that holds still."""
STILL = Freedom(rotation=0.0, zoom=1.0, shift=0.0, mirror=False)

FEWEST, MOST = 14, 28
"""Pixels across a face that is seen from afar."""
ERASED = 0.25
"""Share of the pictures that lose a rectangle."""


def views(
    images: NDArray[np.uint8],
    squares: NDArray[np.float32],
    size: int,
    rng: np.random.Generator,
    frames: int | None = None,
) -> NDArray[np.uint8]:
    """One random view (n, size, size) uint8 of each picture (n, h, w) around its square (n, 3).

    With `frames`, clips of it (n, frames, size, size): the view moves a little from frame to frame.
    """
    placed = _placements(squares, size, VIEW, rng)
    if frames is None:
        return _seen(images, placed, size, rng)
    return np.stack([_seen(images, _moved(placed, size, rng), size, rng) for _ in range(frames)], axis=1)


def plain(
    images: NDArray[np.uint8],
    squares: NDArray[np.float32],
    size: int,
    rng: np.random.Generator,
    frames: int | None = None,
) -> NDArray[np.uint8]:
    """Each picture's square as it is (n, size, size) uint8; with `frames`, clips in which it only moves."""
    placed = _placements(squares, size, STILL, rng)
    if frames is None:
        return _cut(images, placed, size)
    return np.stack([_cut(images, _moved(placed, size, rng), size) for _ in range(frames)], axis=1)


def degrade(view: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Rob one picture (size, size) of detail in place: one of three ways, or, mostly, none."""
    size = len(view)
    kind = rng.random()
    if kind < 0.2:
        small = int(rng.integers(FEWEST, MOST + 1))
        few = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
        view[:] = cv2.resize(few, (size, size), interpolation=cv2.INTER_LINEAR)
    elif kind < 0.3:
        view[:] = cv2.GaussianBlur(view, (0, 0), float(rng.uniform(0.4, 1.2)))
    elif kind < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 80))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", view, quality)[1], cv2.IMREAD_GRAYSCALE)
        view[:] = np.asarray(decoded, np.uint8)


def erase(view: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Paint one rectangle of a picture (size, size) evenly, in place (Zhong et al. 2017)."""
    size = len(view)
    high, wide = rng.integers(size // 8, size // 2, 2)
    top, left = rng.integers(0, size - high), rng.integers(0, size - wide)
    view[top : top + high, left : left + wide] = rng.integers(0, 256)


def blend(
    pictures: NDArray[np.float32], targets: Targets, alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Targets]:
    """Mixup (Zhang et al. 2018): each picture and target partly another's of the same group.

    How much is drawn per picture from Beta(alpha, alpha); alpha 0 leaves everything as it is.
    """
    if not alpha:
        return pictures, targets
    other = rng.permutation(len(pictures))
    own = rng.beta(alpha, alpha, len(pictures)).astype(np.float32)

    def mixed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        share = own.reshape(-1, *[1] * (rows.ndim - 1))
        return share * rows + (1 - share) * rows[other]

    return mixed(pictures), {head: mixed(rows) for head, rows in targets.items()}


def _seen(
    images: NDArray[np.uint8], placements: NDArray[np.float64], size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Pictures (n, size, size) where they are placed (n, 2, 3), as cheap cameras would show them."""
    out = _cut(images, placements, size)
    for view in out:
        degrade(view, rng)
    toned = _tones(out, rng)
    for view in toned[rng.random(len(toned)) < ERASED]:
        erase(view, rng)
    return toned


def _cut(images: NDArray[np.uint8], placements: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Pictures (n, size, size) where they are placed (n, 2, 3)."""
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
    squares: NDArray[np.float32], size: int, freedom: Freedom, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Random matrices (n, 2, 3) from view pixels to source pixels, around squares (n, 3)."""
    n = len(squares)
    x, y, side = squares.T.astype(np.float64)
    zoom, turn = np.log(freedom.zoom), freedom.rotation
    step = side / size * np.exp(rng.uniform(-zoom, zoom, n))
    angle = rng.uniform(-turn, turn, n)
    mirror = rng.choice([-1.0, 1.0], n) if freedom.mirror else np.ones(n)
    cos, sin = step * np.cos(angle), step * np.sin(angle)
    rotation = np.stack([np.stack([mirror * cos, -sin], 1), np.stack([mirror * sin, cos], 1)], 1)
    strayed = rng.uniform(-freedom.shift, freedom.shift, (n, 2)) * side[:, None]
    origin = np.stack([x, y], 1) + strayed - 0.5 - rotation.sum(axis=2) * (size - 1) / 2
    return np.concatenate([rotation, origin[:, :, None]], axis=2)


def _moved(placements: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Placements (n, 2, 3) after a little unrest, as one matrix each."""
    view = np.tile(np.array([size / 2, size / 2, size], np.float32), (len(placements), 1))
    unrest = _placements(view, size, UNREST, rng)
    moved = placements[:, :, :2] @ unrest
    moved[:, :, 2] += placements[:, :, 2]
    return np.asarray(moved)


def _tones(views: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Gamma, contrast and brightness, drawn per picture."""
    n = len(views)
    gamma = np.exp(rng.uniform(-0.4, 0.4, (n, 1)))
    contrast = rng.uniform(0.7, 1.2, (n, 1))
    brightness = rng.uniform(-0.1, 0.1, (n, 1))
    ramp = np.linspace(0, 1, 256)[None]
    curves = ((ramp**gamma - 0.5) * contrast + 0.5 + brightness).clip(0, 1) * 255
    rows = np.arange(n)[:, None, None]
    return curves.round().astype(np.uint8)[rows, views]
