"""Degraded pictures as in a shop: with our detector's boxes, with inexact boxes, and from a distance."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.crops import crop
from inference.detector import Detector
from training.classifier.inputs import concatenate_crops
from training.classifier.validation import EvaluationSet
from training.data import datasets

MOVE, ZOOM = 0.10, 0.15
"""Largest shift and scaling of boxes, as shares of their size."""

SMALL = (24, 16, 12)
"""Sides in pixels of the small crops."""

MARGIN = 24
"""Pixels of padding around a FER2013 picture, which is all face, before detection."""


def degrade_set(pictures: EvaluationSet) -> dict[str, EvaluationSet]:
    """The same faces framed by our detector, with moved boxes, and reduced in size, by name of the case.

    The first case is left out if the detector finds no face.
    """
    cases = {"moved boxes": _with_moved_boxes(pictures)}
    for pixels in SMALL:
        cases[f"{pixels} pixels"] = replace(
            pictures,
            face_crops=shrink(pictures.face_crops, pixels),
            person_crops=shrink(pictures.person_crops, pixels),
        )
    found = frame_with_detector(pictures, Detector())
    before_and_after = (
        (pictures.face_crops, found.face_crops),
        (pictures.person_crops, found.person_crops),
    )
    if all(len(after) for before, after in before_and_after if len(before)):
        return {"found by our detector": found} | cases
    return cases


def frame_with_detector(pictures: EvaluationSet, detector: Detector) -> EvaluationSet:
    """The faces that a detector finds, cropped at the most confident box of each picture."""
    size, wide = pictures.face_crops.shape[1], [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)]
    faces, face_crops = _detect_and_crop(np.pad(pictures.faces.images, wide, "edge"), detector, size)
    people, person_crops = _detect_and_crop(pictures.people.images, detector, size)
    return replace(
        pictures,
        faces=pictures.faces.rows(faces),
        face_crops=face_crops,
        people=pictures.people.rows(people),
        person_crops=person_crops,
    )


def _detect_and_crop(
    images: NDArray[np.uint8], detector: Detector, size: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Rows (m,) of pictures (n, h, w) in which the detector finds a face, and crops (m, size, size)."""
    rows, crops = [], []
    for row, image in enumerate(images):
        boxes = detector.detect(image).boxes
        if len(boxes):
            rows.append(row)
            crops.append(crop(image, boxes[:1], size))
    return np.array(rows, np.int64), concatenate_crops(crops, size)


def shrink(crops: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Crops (n, size, size) reduced to `pixels` a side and enlarged again, as from a distant camera."""
    size = crops.shape[1]
    few = (cv2.resize(c, (pixels, pixels), interpolation=cv2.INTER_AREA) for c in crops)
    return concatenate_crops((cv2.resize(c, (size, size))[None] for c in few), size)


def _with_moved_boxes(pictures: EvaluationSet) -> EvaluationSet:
    rng = np.random.default_rng(1)
    side, size = datasets.FER_SIDE, pictures.face_crops.shape[1]
    whole = np.tile(np.array([0, 0, side, side], np.float32), (len(pictures.faces.images), 1))
    faces = zip(pictures.faces.images, _move_boxes(whole, rng), strict=True)
    people = zip(pictures.people.images, _move_boxes(pictures.people.boxes, rng), strict=True)
    return replace(
        pictures,
        face_crops=concatenate_crops(
            (crop(image, box[None], size, scale=1, shift=0) for image, box in faces), size
        ),
        person_crops=concatenate_crops((crop(image, box[None], size) for image, box in people), size),
    )


def _move_boxes(boxes: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(boxes)
    size = boxes[:, 2:]
    centre = boxes[:, :2] + size / 2 + rng.uniform(-MOVE, MOVE, (n, 2)) * size
    scaled = size * rng.uniform(1 - ZOOM, 1 + ZOOM, (n, 1))
    return np.concatenate([centre - scaled / 2, scaled], axis=1).astype(np.float32)
