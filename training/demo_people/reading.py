"""Classification of a drawn head by the shipped detector and classifier, at several sizes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier
from inference.crops import crop
from inference.detector import Detector
from training.demo_people.canvas import EYES, Painting

FACE_SIZES = (36, 60, 100)
"""Square roots of face box areas in pixels: far, middle, near."""
MIN_EXPRESSION = 0.5
"""Least mean probability of the expression over the sizes."""
MIN_GENDER = 0.8
"""Least mean probability of the gender over the sizes."""

_BOX = 2.5 * EYES
"""Size of a face with an eye distance of EYES."""
_BACKGROUND = 150
_PICTURE = (480, 640)


@dataclass(frozen=True)
class HeadEstimates:
    """Estimates of one head: (s, expressions) and (s, genders), a row for each size with a detection."""

    expressions: NDArray[np.float32]
    genders: NDArray[np.float32]
    expression_labels: tuple[str, ...]
    gender_labels: tuple[str, ...]

    def expression(self, label: str) -> float:
        """Mean probability of an expression."""
        return float(self.expressions[:, self.expression_labels.index(label)].mean())

    def gender(self, label: str) -> float:
        """Mean probability of a perceived gender."""
        return float(self.genders[:, self.gender_labels.index(label)].mean())

    def matches(self, gender: str, expression: str) -> bool:
        """Whether the head was found and classified so at every size, with enough mean confidence."""
        if len(self.expressions) < len(FACE_SIZES):
            return False
        at_every_size = (
            self.expressions.argmax(axis=1) == self.expression_labels.index(expression)
        ).all() and (self.genders.argmax(axis=1) == self.gender_labels.index(gender)).all()
        sure = self.expression(expression) >= MIN_EXPRESSION and self.gender(gender) >= MIN_GENDER
        return bool(at_every_size and sure)


def classify_head(head: Painting, classifier: Classifier, detector: Detector) -> HeadEstimates:
    """Detect and classify a head in front of a plain background."""
    crops = [np.empty((0, classifier.size, classifier.size), np.uint8)]
    for size in FACE_SIZES:
        picture = _render(head, size / _BOX)
        faces = detector.detect(picture)
        crops.append(crop(picture, faces.boxes[:1], classifier.size))
    classes = classifier.classify(np.concatenate(crops))
    return HeadEstimates(
        classes.expressions, classes.genders, classes.expression_labels, classes.gender_labels
    )


def _render(head: Painting, scale: float) -> NDArray[np.uint8]:
    luminance, alpha = (
        cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for plane in (head.luminance, head.alpha)
    )
    height, width = alpha.shape
    picture = np.full(_PICTURE, _BACKGROUND, np.float32)
    top, left = (_PICTURE[0] - height) // 2, (_PICTURE[1] - width) // 2
    area = picture[top : top + height, left : left + width]
    area += (luminance - area) * alpha
    return np.clip(picture, 0, 255).astype(np.uint8)
