"""Analysis of pictures and videos on disk: each face by itself, without tracking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.annotation.picture import LabelledFace
from inference.crops import crop
from inference.offline.clips import Clip
from inference.offline.copies import AnnotatedCopies
from inference.offline.files import InputFile
from inference.offline.records import FileFailure, FrameResult
from media.errors import MediaError
from media.images import read_color, read_gray

if TYPE_CHECKING:
    from inference.analyser import FaceClassifier, FaceDetector


class FaceAnalyser:
    """Finds the faces of a picture and estimates expression and gender of each.

    Without a detector every picture is the crop of one face: its box is the picture, with score 1, and the
    classifier gets a square of the same area and centre.
    """

    def __init__(self, classifier: FaceClassifier, detector: FaceDetector | None) -> None:
        self._classifier = classifier
        self._detector = detector

    def analyse(self, gray: NDArray[np.uint8]) -> tuple[LabelledFace, ...]:
        """The faces of a grey picture (height, width) uint8, with their estimates."""
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
                boxes.tolist(), scores.tolist(), self._estimate(crops), strict=True
            )
        )

    def _estimate(self, crops: NDArray[np.uint8]) -> Iterator[Estimate]:
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


def analyse_file(
    file: InputFile, analyser: FaceAnalyser, every: float = 0.0, copies: AnnotatedCopies | None = None
) -> Iterator[FrameResult | FileFailure]:
    """Yield one result for a picture, and one per frame or one per `every` seconds for a video.

    If the file cannot be read to its end, a failure follows the results so far. `copies` receives the
    analysed pictures. Raises OutputError if a copy cannot be written.
    """
    try:
        if file.is_video:
            yield from _analyse_video(file, analyser, every, copies)
        else:
            yield _analyse_picture(file, analyser, copies)
    except MediaError as error:
        yield FileFailure(file.name, str(error))


def _analyse_picture(file: InputFile, analyser: FaceAnalyser, copies: AnnotatedCopies | None) -> FrameResult:
    gray = read_gray(file.path)
    faces = analyser.analyse(gray)
    if copies:
        copies.write_picture(file, read_color(file.path), faces)
    height, width = gray.shape
    return FrameResult(file.name, 0, 0.0, width, height, faces)


def _analyse_video(
    file: InputFile, analyser: FaceAnalyser, every: float, copies: AnnotatedCopies | None
) -> Iterator[FrameResult]:
    with Clip(file.path) as clip:
        fps = min(1 / every, clip.fps) if every else clip.fps
        copy = copies.open_video(file, fps) if copies else None
        with copy or nullcontext():
            for frame in clip.frames(every):
                faces = analyser.analyse(frame.gray)
                if copy:
                    copy.write_frame(clip.color(), faces)
                height, width = frame.gray.shape
                yield FrameResult(file.name, frame.number, frame.time_s, width, height, faces)
