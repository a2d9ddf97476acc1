"""Frames in, visits and observations out: no clock, no input or output, the same answer every time.

One analyser serves any number of cameras. It keeps a state for each: what is tracked there, what speaks
for each track being a person, and the visits that are open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Observation, Results, Visit
from inference.classifier import Classes, Head
from inference.crops import crop
from inference.detector import Faces, ScoreLevels
from inference.evidence import Evidence
from inference.tracking import Tracker, TrackerSettings
from inference.visits import CONFIRMING_FACES, OpenVisit, Teller

ABSENCE_US = 10 * MICROSECONDS
"""A track that did not convince for so long and does again is another visit: somebody stepped in front of a
thing that is tracked."""


class FaceDetector(Protocol):
    """Finds faces; `inference.detector.Detector` is the one that ships."""

    levels: ScoreLevels

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        """All faces of a grey picture (height, width) uint8 that score `lowest` or more, in any order.

        `lowest` is `levels.face` where None.
        """


class FaceClassifier(Protocol):
    """Estimates expression and gender; `inference.classifier.Classifier` is the one that ships."""

    expression_head: Head
    gender_head: Head

    @property
    def size(self) -> int:
        """Side of the crops it takes, in pixels."""

    def classify(self, crops: NDArray[np.uint8]) -> Classes:
        """One row for each of the crops (n, size, size) uint8."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one frame gave: the number of people's faces in it, and what it adds to the results."""

    faces: int
    results: Results


@dataclass(slots=True)
class _Camera:
    teller: Teller
    tracker: Tracker
    evidence: dict[int, Evidence] = field(default_factory=dict)
    visits: dict[int, OpenVisit] = field(default_factory=dict)


@dataclass(slots=True)
class _Findings:
    visits: list[Visit] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)

    def results(self) -> Results:
        return Results(tuple(self.visits), tuple(self.observations))


class Analyser:
    """Detects, follows and classifies the faces of each camera's frames.

    Args:
        detector: finds the faces.
        classifier: estimates expression and gender of the faces of people.
        model: the name under which visits record what made their estimates.
        tracking: how far a face may go and how long it may be away.
    """

    def __init__(
        self,
        detector: FaceDetector,
        classifier: FaceClassifier,
        model: str,
        tracking: TrackerSettings | None = None,
    ) -> None:
        self._detector = detector
        self._classifier = classifier
        self._model = model
        self._tracking = tracking or TrackerSettings()
        self._cameras: dict[str, _Camera] = {}

    def analyse(self, camera_id: str, captured_at: int, gray: NDArray[np.uint8]) -> Analysis:
        """Take the next frame of a camera: grey (height, width) uint8, captured at microseconds UTC.

        A camera's frames are expected in the order of their capture; a time that lies before the last
        one ends the camera's visits, as a gap does.
        """
        if camera_id not in self._cameras:
            self._cameras[camera_id] = self._camera(camera_id)
        camera = self._cameras[camera_id]
        findings = _Findings()
        _end(camera, [track.number for track in camera.tracker.expire(captured_at)], findings)
        faces = self._detector.detect(gray, self._detector.levels.weak)
        people = self._people(camera, faces, captured_at)
        indices = list(people)
        crops = crop(gray, faces.boxes[indices], self._classifier.size)
        classes = self._classifier.classify(crops)
        for row, (index, track) in enumerate(people.items()):
            visit = _open(camera, track, captured_at, findings)
            ended = camera.teller.observation(visit) if visit.ends_second(captured_at) else None
            box, score = faces.boxes[index], float(faces.scores[index])
            visit.see(classes, row, crops[row], box, score, captured_at)
            if visit.faces == CONFIRMING_FACES or (visit.confirmed and ended):
                findings.visits.append(camera.teller.visit(visit, closed=False))
            if visit.confirmed and ended:
                findings.observations.append(ended)
        return Analysis(len(people), findings.results())

    def close(self, camera_id: str) -> Results:
        """End the open visits of a camera that shows nothing any more, and forget the camera."""
        findings = _Findings()
        camera = self._cameras.pop(camera_id, None)
        if camera is not None:
            _end(camera, [track.number for track in camera.tracker.end()], findings)
        return findings.results()

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras for which a state is kept."""
        return tuple(self._cameras)

    def _camera(self, camera_id: str) -> _Camera:
        heads = self._classifier.expression_head, self._classifier.gender_head
        return _Camera(Teller(camera_id, *heads, self._model), Tracker(self._tracking))

    def _people(self, camera: _Camera, faces: Faces, time_us: int) -> dict[int, int]:
        """Which of the faces are people's: index of the face to number of its track."""
        people: dict[int, int] = {}
        for index, track in enumerate(camera.tracker.update(faces.boxes, time_us)):
            evidence = camera.evidence.setdefault(track.number, Evidence())
            evidence.add(faces.boxes[index], float(faces.scores[index]), time_us)
            if evidence.convinces(self._detector.levels):
                people[index] = track.number
        return people


def _open(camera: _Camera, track: int, time_us: int, findings: _Findings) -> OpenVisit:
    """The open visit of a track, a new one where there is none."""
    visit = camera.visits.get(track)
    if visit and time_us - visit.last_seen > ABSENCE_US:
        _close(camera, track, findings)
    return camera.visits.setdefault(track, OpenVisit(track, time_us, time_us))


def _end(camera: _Camera, tracks: Iterable[int], findings: _Findings) -> None:
    for track in tracks:
        del camera.evidence[track]
        _close(camera, track, findings)


def _close(camera: _Camera, track: int, findings: _Findings) -> None:
    visit = camera.visits.pop(track, None)
    if visit and visit.confirmed:
        findings.visits.append(camera.teller.visit(visit, closed=True))
        findings.observations.append(camera.teller.observation(visit))
