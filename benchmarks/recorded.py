"""Recording of the inputs and outputs of both networks, so that each stage can be timed separately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from benchmarks.clips import Gray
from bus.messages import EVERYTHING, MICROSECONDS, Results, Switches
from inference.analyser import Analyser, FaceClassifier, FaceDetector
from inference.classifier import Classes, Classifier
from inference.detector import Detector, Faces

EPOCH = 1_700_000_000 * MICROSECONDS
FPS = 5


@dataclass
class Recorder(FaceDetector, FaceClassifier):
    """The real detector and classifier; records their inputs and outputs."""

    detector: Detector
    classifier: Classifier
    faces: list[Faces] = field(default_factory=list)
    crops: list[Gray] = field(default_factory=list)
    """Crops (n, size, size) of the people in each frame."""
    classes: list[Classes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.levels = self.detector.levels
        self.expression_head = self.classifier.expression_head
        self.gender_head = self.classifier.gender_head

    @property
    @override
    def size(self) -> int:
        return self.classifier.size

    @override
    def detect(self, gray: Gray, lowest: float | None = None) -> Faces:
        self.faces.append(self.detector.detect(gray, lowest))
        return self.faces[-1]

    @override
    def classify(self, crops: Gray, switches: Switches = EVERYTHING) -> Classes:
        self.crops.append(crops)
        self.classes.append(self.classifier.classify(crops, switches))
        return self.classes[-1]


class Replay(FaceDetector, FaceClassifier):
    """A detector and a classifier that return recorded outputs, frame by frame, without computing them."""

    def __init__(self, recorded: Recorder) -> None:
        self.levels = recorded.levels
        self.expression_head = recorded.expression_head
        self.gender_head = recorded.gender_head
        self._size = recorded.size
        self._faces: Iterator[Faces] = iter(recorded.faces)
        self._classes: Iterator[Classes] = iter(recorded.classes)

    @property
    @override
    def size(self) -> int:
        return self._size

    @override
    def detect(self, gray: Gray, lowest: float | None = None) -> Faces:
        return next(self._faces)

    @override
    def classify(self, crops: Gray, switches: Switches = EVERYTHING) -> Classes:
        return next(self._classes)


def analyse(networks: Recorder | Replay, grays: Sequence[Gray]) -> list[Results]:
    """The results of an analyser for the frames of one camera."""
    analyser = Analyser(networks, networks, "benchmark")
    return [analyser.analyse("camera", captured_at(seq), gray).results for seq, gray in enumerate(grays)]


def captured_at(seq: int) -> int:
    """Capture time of frame `seq` of a camera, microseconds UTC."""
    return EPOCH + seq * MICROSECONDS // FPS
