"""Pictures of the data sets as network input: single crops, or clips of one face.

A clip is made from one still, cropped with boxes that move slightly: it shows whether several views of a
face help, and nothing about how faces move.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.crops import crop, squares
from training.classifier.augment import plain_views
from training.data import datasets


def network_input(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Crops (n, size, size) or clips (n, frames, size, size) uint8 as float32 0..255 with a channel axis."""
    return crops[..., None].astype(np.float32)


def whole_squares(n: int) -> NDArray[np.float32]:
    """Squares (n, 3) that cover n complete FER2013 pictures, which are crops already."""
    side = datasets.FER_SIDE
    return np.tile(np.array([side / 2, side / 2, side], np.float32), (n, 1))


def fer2013_crops(faces: datasets.Fer2013, size: int, frames: int | None = None) -> NDArray[np.uint8]:
    """FER2013's pictures as crops (n, size, size), or as clips (n, frames, size, size)."""
    if frames is not None:
        around = whole_squares(len(faces.images))
        return plain_views(faces.images, around, size, np.random.default_rng(1), frames)
    if size == datasets.FER_SIDE:
        return faces.images
    return concatenate_crops((cv2.resize(image, (size, size))[None] for image in faces.images), size)


def fairface_crops(people: datasets.FairFace, size: int, frames: int | None = None) -> NDArray[np.uint8]:
    """FairFace's pictures cropped at their detector boxes (n, size, size), or as clips of these."""
    if frames is not None:
        around = squares(people.boxes)
        return plain_views(people.images, around, size, np.random.default_rng(1), frames)
    pairs = zip(people.images, people.boxes, strict=True)
    return concatenate_crops((crop(image, box[None], size) for image, box in pairs), size)


def concatenate_crops(parts: Iterable[NDArray[Any]], size: int) -> NDArray[np.uint8]:
    """Concatenate crops (k, size, size) of any number of pictures, including none."""
    return np.concatenate([np.empty((0, size, size), np.uint8), *parts])
