"""The pictures as a shop shows them: under our own detector's boxes, inexact boxes, and from afar."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.crops import crop
from inference.detector import Detector
from training.classifier.inputs import together
from training.classifier.validation import Pictures
from training.data import datasets

MOVE, ZOOM = 0.10, 0.15
"""How far boxes are moved and scaled, as shares of their size."""

SMALL = (24, 16, 12)
"""Sides in pixels of the small crops that are tried."""


MARGIN = 24
"""Pixels by which a FER2013 picture, which is all face, is widened before the detector looks at it."""


def degraded(pictures: Pictures) -> dict[str, Pictures]:
    """The same faces: those that our detector finds, as it frames them; under moved boxes; small.

    The first case is left out where the detector finds none.
    """
    cases = {"moved boxes": _moved(pictures)}
    for pixels in SMALL:
        cases[f"{pixels} pixels"] = replace(
            pictures,
            face_crops=small(pictures.face_crops, pixels),
            person_crops=small(pictures.person_crops, pixels),
        )
    found = detected(pictures, Detector())
    before_and_after = (
        (pictures.face_crops, found.face_crops),
        (pictures.person_crops, found.person_crops),
    )
    if all(len(after) for before, after in before_and_after if len(before)):
        return {"found by our detector": found} | cases
    return cases


def detected(pictures: Pictures, detector: Detector) -> Pictures:
    """The faces that a detector finds, as crops under the surest box in each picture."""
    size, wide = pictures.face_crops.shape[1], [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)]
    faces, face_crops = _seen(np.pad(pictures.faces.images, wide, "edge"), detector, size)
    people, person_crops = _seen(pictures.people.images, detector, size)
    return replace(
        pictures,
        faces=pictures.faces.rows(faces),
        face_crops=face_crops,
        people=pictures.people.rows(people),
        person_crops=person_crops,
    )


def _seen(
    images: NDArray[np.uint8], detector: Detector, size: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Which of the pictures (n, h, w) show a face to the detector (m,), and its crops (m, size, size)."""
    rows, crops = [], []
    for row, image in enumerate(images):
        boxes = detector.detect(image).boxes
        if len(boxes):
            rows.append(row)
            crops.append(crop(image, boxes[:1], size))
    return np.array(rows, np.int64), together(crops, size)


def small(crops: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Crops (n, size, size) as a camera shows them that gives each only `pixels` a side."""
    size = crops.shape[1]
    few = (cv2.resize(c, (pixels, pixels), interpolation=cv2.INTER_AREA) for c in crops)
    return together((cv2.resize(c, (size, size))[None] for c in few), size)


def _moved(pictures: Pictures) -> Pictures:
    rng = np.random.default_rng(1)
    side, size = datasets.FER_SIDE, pictures.face_crops.shape[1]
    whole = np.tile(np.array([0, 0, side, side], np.float32), (len(pictures.faces.images), 1))
    faces = zip(pictures.faces.images, _moved_boxes(whole, rng), strict=True)
    people = zip(pictures.people.images, _moved_boxes(pictures.people.boxes, rng), strict=True)
    return replace(
        pictures,
        face_crops=together((crop(image, box[None], size, scale=1, shift=0) for image, box in faces), size),
        person_crops=together((crop(image, box[None], size) for image, box in people), size),
    )


def _moved_boxes(boxes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(boxes)
    size = boxes[:, 2:]
    centre = boxes[:, :2] + size / 2 + rng.uniform(-MOVE, MOVE, (n, 2)) * size
    scaled = size * rng.uniform(1 - ZOOM, 1 + ZOOM, (n, 1))
    return np.concatenate([centre - scaled / 2, scaled], axis=1).astype(np.float32)
