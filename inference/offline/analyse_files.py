"""Analysis of pictures and videos on disk: each face by itself, without tracking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bus.messages import Estimate
from inference.annotation.picture import LabelledFace
from inference.crops import crop
from inference.offline.clips import ROUNDING, Clip, next_due
from inference.offline.copies import AnnotatedCopies, VideoCopy
from inference.offline.files import InputFile
from inference.offline.records import FileFailure, FrameResult
from media.errors import MediaError
from media.images import Gray, read_color, read_gray
from media.kinds import Kind
from media.sequences import PictureSequence

if TYPE_CHECKING:
    from inference.analyser import FaceClassifier, FaceDetector

_ANIMATION_FPS = 5.0
"""Frames per second of the annotated copy of an animation, whose pictures need not be shown equally long."""


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
    """Yield one result for a picture, one per frame or one per `every` seconds for a video, one per page.

    If the file cannot be read to its end, a failure follows the results so far. `copies` receives the
    analysed pictures. Raises OutputError if a copy cannot be written.
    """
    analyse = {
        Kind.PICTURE: _analyse_picture,
        Kind.SEQUENCE: _analyse_sequence,
        Kind.VIDEO: _analyse_video,
    }[file.kind]
    try:
        yield from analyse(file, analyser, every, copies)
    except MediaError as error:
        yield FileFailure(file.name, str(error))


def _analyse_picture(
    file: InputFile, analyser: FaceAnalyser, every: float, copies: AnnotatedCopies | None
) -> Iterator[FrameResult]:
    gray = read_gray(file.path)
    faces = analyser.analyse(gray)
    if copies:
        copies.write_picture(file, read_color(file.path), faces)
    yield _result(file, 0, 0.0, gray, faces)


def _analyse_sequence(
    file: InputFile, analyser: FaceAnalyser, every: float, copies: AnnotatedCopies | None
) -> Iterator[FrameResult]:
    with PictureSequence(file.path) as sequence, _open_copy(copies, file, every, _ANIMATION_FPS) as copy:
        due = 0.0
        for picture in sequence.pictures():
            if sequence.timed and picture.time_s < due - ROUNDING:
                continue
            gray = picture.gray()
            faces = analyser.analyse(gray)
            if copy:
                copy.write_frame(picture.color(), faces)
            yield _result(file, picture.number, picture.time_s, gray, faces)
            due = next_due(picture.time_s, every)


def _analyse_video(
    file: InputFile, analyser: FaceAnalyser, every: float, copies: AnnotatedCopies | None
) -> Iterator[FrameResult]:
    with Clip(file.path) as clip, _open_copy(copies, file, every, clip.fps) as copy:
        for frame in clip.frames(every):
            faces = analyser.analyse(frame.gray)
            if copy:
                copy.write_frame(clip.color(), faces)
            yield _result(file, frame.number, frame.time_s, frame.gray, faces)


def _open_copy(
    copies: AnnotatedCopies | None, file: InputFile, every: float, fps: float
) -> AbstractContextManager[VideoCopy | None]:
    if copies is None:
        return nullcontext()
    return copies.open_video(file, min(1 / every, fps) if every else fps)


def _result(
    file: InputFile, number: int, time_s: float, gray: Gray, faces: tuple[LabelledFace, ...]
) -> FrameResult:
    height, width = gray.shape
    return FrameResult(file.name, number, time_s, width, height, faces)
