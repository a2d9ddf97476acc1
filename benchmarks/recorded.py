"""What the two networks were asked and answered for some frames, so that each can be timed apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.clips import Gray
from bus.messages import MICROSECONDS, Results
from inference.analyser import Analyser
from inference.classifier import Classes, Classifier
from inference.detector import Detector, Faces

EPOCH = 1_700_000_000 * MICROSECONDS
FPS = 5


@dataclass
class Recorder:
    """The real detector and classifier; keeps what goes in and comes out."""

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
    def size(self) -> int:
        """See `inference.analyser.FaceClassifier`."""
        return self.classifier.size

    def detect(self, gray: Gray, lowest: float | None = None) -> Faces:
        """See `inference.analyser.FaceDetector`."""
        self.faces.append(self.detector.detect(gray, lowest))
        return self.faces[-1]

    def classify(self, crops: Gray) -> Classes:
        """See `inference.analyser.FaceClassifier`."""
        self.crops.append(crops)
        self.classes.append(self.classifier.classify(crops))
        return self.classes[-1]


class Replay:
    """A detector and a classifier that answer at once, frame by frame as in a recording."""

    def __init__(self, recorded: Recorder) -> None:
        self.levels = recorded.levels
        self.expression_head = recorded.expression_head
        self.gender_head = recorded.gender_head
        self.size = recorded.size
        self._faces: Iterator[Faces] = iter(recorded.faces)
        self._classes: Iterator[Classes] = iter(recorded.classes)

    def detect(self, gray: Gray, lowest: float | None = None) -> Faces:
        """See `inference.analyser.FaceDetector`."""
        return next(self._faces)

    def classify(self, crops: Gray) -> Classes:
        """See `inference.analyser.FaceClassifier`."""
        return next(self._classes)


def analyse(networks: Recorder | Replay, grays: Sequence[Gray]) -> list[Results]:
    """What an analyser makes of one camera's frames."""
    analyser = Analyser(networks, networks, "benchmark")
    return [analyser.analyse("camera", captured_at(seq), gray).results for seq, gray in enumerate(grays)]


def captured_at(seq: int) -> int:
    """When the n-th frame of a camera was captured, microseconds UTC."""
    return EPOCH + seq * MICROSECONDS // FPS
