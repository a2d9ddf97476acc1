"""Validation pictures as a shop shows them: under inexact boxes, and from afar."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.crops import crop
from training import datasets
from training.validation import Pictures

MOVE, ZOOM = 0.10, 0.15
"""How far boxes are moved and scaled, as shares of their size."""

SMALL = (24, 16, 12)
"""Sides in pixels of the small crops that are tried."""


def degraded(pictures: Pictures) -> dict[str, Pictures]:
    """The same faces under boxes moved by up to 10 % and scaled by up to 15 %, and small."""
    return {"moved boxes": _moved(pictures)} | {
        f"{pixels} pixels": replace(
            pictures,
            face_crops=small(pictures.face_crops, pixels),
            person_crops=small(pictures.person_crops, pixels),
        )
        for pixels in SMALL
    }


def small(crops: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Crops (n, size, size) as a camera shows them that gives each only `pixels` a side."""
    size = crops.shape[1]
    few = (cv2.resize(c, (pixels, pixels), interpolation=cv2.INTER_AREA) for c in crops)
    return np.stack([np.asarray(cv2.resize(c, (size, size)), np.uint8) for c in few])


def _moved(pictures: Pictures) -> Pictures:
    rng = np.random.default_rng(1)
    side, size = datasets.FER_SIDE, pictures.face_crops.shape[1]
    whole = np.tile(np.array([0, 0, side, side], np.float32), (len(pictures.faces.images), 1))
    faces = zip(pictures.faces.images, _moved_boxes(whole, rng), strict=True)
    people = zip(pictures.people.images, _moved_boxes(pictures.people.boxes, rng), strict=True)
    return replace(
        pictures,
        face_crops=np.concatenate([crop(image, box[None], size, scale=1, shift=0) for image, box in faces]),
        person_crops=np.concatenate([crop(image, box[None], size) for image, box in people]),
    )


def _moved_boxes(boxes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(boxes)
    size = boxes[:, 2:]
    centre = boxes[:, :2] + size / 2 + rng.uniform(-MOVE, MOVE, (n, 2)) * size
    scaled = size * rng.uniform(1 - ZOOM, 1 + ZOOM, (n, 1))
    return np.concatenate([centre - scaled / 2, scaled], axis=1).astype(np.float32)
