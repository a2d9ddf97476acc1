"""Pictures and videos on disk to findings, one after the other, as fast as it goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.annotation.picture import LabelledFace
from inference.crops import crop
from inference.errors import ImageError
from inference.offline.clips import Clip
from inference.offline.copies import Copies
from inference.offline.files import Item
from inference.offline.records import Failure, Finding
from media.images import read_color, read_gray

if TYPE_CHECKING:
    from inference.analyser import FaceClassifier, FaceDetector


class FaceReader:
    """Finds the faces of a picture and estimates each for itself.

    Without a detector every picture is taken as the crop of one face: the box is the whole picture, with
    score 1, and the classifier sees all of a square one, or the square of the same area and centre.
    """

    def __init__(self, classifier: FaceClassifier, detector: FaceDetector | None) -> None:
        self._classifier = classifier
        self._detector = detector

    def read(self, gray: NDArray[np.uint8]) -> tuple[LabelledFace, ...]:
        """The faces of a grey picture (height, width) uint8."""
        size = self._classifier.size
        if self._detector is None:
            height, width = gray.shape
            boxes = np.array([[0, 0, width, height]], np.float32)
            scores = np.ones(1, np.float32)
            crops = crop(gray, boxes, size, scale=1, shift=0)
        else:
            faces = self._detector.detect(gray)
            boxes, scores = faces.boxes, faces.scores
            crops = crop(gray, boxes, size)
        return tuple(
            LabelledFace((x, y, w, h), score, estimate)
            for (x, y, w, h), score, estimate in zip(
                boxes.tolist(), scores.tolist(), self._estimates(crops), strict=True
            )
        )

    def _estimates(self, crops: NDArray[np.uint8]) -> Iterator[Estimate]:
        classes = self._classifier.classify(crops)
        female = classes.gender_labels.index("female")
        for expressions, genders, expression, gender in zip(
            classes.expressions.tolist(),
            classes.genders.tolist(),
            classes.top_expressions(),
            classes.top_genders(),
            strict=True,
        ):
            named = dict(zip(classes.expression_labels, expressions, strict=True))
            yield Estimate(named, genders[female], expression, gender)


def analyse(
    item: Item, reader: FaceReader, every: float = 0.0, copies: Copies | None = None
) -> Iterator[Finding | Failure]:
    """One finding for a picture, one per frame for a video, or one every `every` seconds of it.

    What cannot be read ends in a failure, after the findings of what could be. `copies` get an annotated
    copy of what was analysed. Raises OutputError where a copy cannot be written.
    """
    try:
        if item.is_video:
            yield from _video(item, reader, every, copies)
        else:
            yield _picture(item, reader, copies)
    except ImageError as error:
        yield Failure(item.name, str(error))


def _picture(item: Item, reader: FaceReader, copies: Copies | None) -> Finding:
    gray = read_gray(item.path)
    faces = reader.read(gray)
    if copies:
        copies.add_picture(item, read_color(item.path), faces)
    height, width = gray.shape
    return Finding(item.name, 0, 0.0, width, height, faces)


def _video(item: Item, reader: FaceReader, every: float, copies: Copies | None) -> Iterator[Finding]:
    with Clip(item.path) as clip:
        fps = min(1 / every, clip.fps) if every else clip.fps
        copy = copies.video(item, fps) if copies else None
        with copy or nullcontext():
            for frame in clip.frames(every):
                faces = reader.read(np.asarray(cv2.cvtColor(frame.picture, cv2.COLOR_BGR2GRAY), np.uint8))
                if copy:
                    copy.add(frame.picture, faces)
                height, width = frame.picture.shape[:2]
                yield Finding(item.name, frame.number, frame.time_s, width, height, faces)
