"""What the shipped detector and classifier make of a head, at the sizes in which it will be seen."""

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
"""Square roots of face box areas in pixels: far away, in the middle, near."""
LEAST_EXPRESSION = 0.5
"""Mean probability over the sizes with which the expression has to be read."""
LEAST_GENDER = 0.8

_BOX = 2.5 * EYES
"""Size of a face whose eyes are EYES apart."""
_GROUND = 150
_PICTURE = (480, 640)


@dataclass(frozen=True)
class Reading:
    """Estimates of one head: (s, expressions) and (s, genders), a row for each size it was found at."""

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

    def says(self, gender: str, expression: str) -> bool:
        """Whether the head was found and read so at every size, and surely enough on the whole."""
        if len(self.expressions) < len(FACE_SIZES):
            return False
        at_every_size = (
            self.expressions.argmax(axis=1) == self.expression_labels.index(expression)
        ).all() and (self.genders.argmax(axis=1) == self.gender_labels.index(gender)).all()
        sure = self.expression(expression) >= LEAST_EXPRESSION and self.gender(gender) >= LEAST_GENDER
        return bool(at_every_size and sure)


def read(head: Painting, classifier: Classifier, detector: Detector) -> Reading:
    """Show a head to detector and classifier, in front of a plain wall."""
    crops = [np.empty((0, classifier.size, classifier.size), np.uint8)]
    for size in FACE_SIZES:
        picture = _shown(head, size / _BOX)
        faces = detector.detect(picture)
        crops.append(crop(picture, faces.boxes[:1], classifier.size))
    classes = classifier.classify(np.concatenate(crops))
    return Reading(classes.expressions, classes.genders, classes.expression_labels, classes.gender_labels)


def _shown(head: Painting, scale: float) -> NDArray[np.uint8]:
    luminance, alpha = (
        cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for plane in (head.luminance, head.alpha)
    )
    height, width = alpha.shape
    picture = np.full(_PICTURE, _GROUND, np.float32)
    top, left = (_PICTURE[0] - height) // 2, (_PICTURE[1] - width) // 2
    room = picture[top : top + height, left : left + width]
    room += (luminance - room) * alpha
    return np.clip(picture, 0, 255).astype(np.uint8)
