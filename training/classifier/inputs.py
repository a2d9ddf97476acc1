"""Pictures of the data sets as a network takes them: single crops, or clips of one face.

A clip is made of one still, cut out under boxes that are never quite at rest: it shows whether several
looks at a face help, and nothing of how faces move.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.crops import crop, squares
from training.classifier.augment import plain
from training.data import datasets


def network_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Crops (n, size, size) or clips (n, frames, size, size) uint8 with a channel: float32, 0..255."""
    return crops[..., None].astype(np.float32)


def whole_squares(n: int) -> NDArray[np.float32]:
    """Squares (n, 3) that take the whole of n FER2013 pictures, which are crops already."""
    side = datasets.FER_SIDE
    return np.tile(np.array([side / 2, side / 2, side], np.float32), (n, 1))


def fer_pictures(faces: datasets.Fer2013, size: int, frames: int | None = None) -> NDArray[np.uint8]:
    """FER2013's pictures as crops (n, size, size), or as clips (n, frames, size, size)."""
    if frames is not None:
        around = whole_squares(len(faces.images))
        return plain(faces.images, around, size, np.random.default_rng(1), frames)
    if size == datasets.FER_SIDE:
        return faces.images
    return together((cv2.resize(image, (size, size))[None] for image in faces.images), size)


def fairface_pictures(people: datasets.FairFace, size: int, frames: int | None = None) -> NDArray[np.uint8]:
    """FairFace's pictures under their detector boxes as crops (n, size, size), or as clips of these."""
    if frames is not None:
        around = squares(people.boxes)
        return plain(people.images, around, size, np.random.default_rng(1), frames)
    pairs = zip(people.images, people.boxes, strict=True)
    return together((crop(image, box[None], size) for image, box in pairs), size)


def together(parts: Iterable[NDArray[Any]], size: int) -> NDArray[np.uint8]:
    """Crops (k, size, size) of any number of pictures, even none, one after the other."""
    return np.concatenate([np.empty((0, size, size), np.uint8), *parts])
