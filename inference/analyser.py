"""Frames in, visits and observations out: no clock, no input or output, the same answer every time.

One analyser serves any number of cameras. It keeps a state for each: what is tracked there, and the
visits that are open.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Estimate, Observation, Results, Visit
from inference.classifier import Classes, Head
from inference.crops import crop
from inference.detector import Faces
from inference.pooling import Pool
from inference.tracking import Track, Tracker, TrackerSettings

CONFIRMING_HITS = 3
"""Detections that make a track a visit."""


class FaceDetector(Protocol):
    """Finds faces; `inference.detector.Detector` is the one that ships."""

    def detect(self, gray: NDArray[np.uint8]) -> Faces:
        """All faces of a grey picture (height, width) uint8, in no particular order."""


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
    """What one frame gave: the number of faces in it, and what it adds to visits and observations."""

    faces: int
    results: Results


@dataclass(slots=True)
class _Visit:
    """What is known of a track that is, or may become, a visit."""

    whole: Pool = field(default_factory=Pool)
    second: Pool = field(default_factory=Pool)
    second_at: int = 0
    sizes: float = 0.0
    scores: float = 0.0

    def see(self, classes: Classes, row: int, box: NDArray[np.float32], score: float) -> None:
        self.whole.add(classes, row, score)
        self.sizes += float(np.sqrt(box[2] * box[3]))
        self.scores += score

    def see_in_second(self, classes: Classes, row: int, time_us: int, score: float) -> None:
        if _second(time_us) != self.second_at:
            self.second, self.second_at = Pool(), _second(time_us)
        self.second.add(classes, row, score)


@dataclass(slots=True)
class _Camera:
    camera_id: str
    tracker: Tracker
    visits: dict[int, _Visit] = field(default_factory=dict)


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
        classifier: estimates expression and gender of the faces that are followed.
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
        camera = self._cameras.setdefault(camera_id, _Camera(camera_id, Tracker(self._tracking)))
        findings = _Findings()
        self._close_tracks(camera, camera.tracker.expire(captured_at), findings)
        faces = self._detector.detect(gray)
        owners = camera.tracker.update(faces.boxes, faces.scores, captured_at)
        followed = [(track, index) for index, track in enumerate(owners) if track is not None]
        indices = [index for _, index in followed]
        classes = self._classifier.classify(crop(gray, faces.boxes[indices], self._classifier.size))
        for row, (track, index) in enumerate(followed):
            visit = camera.visits.setdefault(track.number, _Visit())
            visit.see(classes, row, faces.boxes[index], float(faces.scores[index]))
            self._tell_news(camera, track, visit, findings)
            visit.see_in_second(classes, row, captured_at, float(faces.scores[index]))
        return Analysis(len(faces), findings.results())

    def close(self, camera_id: str) -> Results:
        """End the open visits of a camera that shows nothing any more, and forget the camera."""
        findings = _Findings()
        camera = self._cameras.pop(camera_id, None)
        if camera is not None:
            self._close_tracks(camera, camera.tracker.end(), findings)
        return findings.results()

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras for which a state is kept."""
        return tuple(self._cameras)

    def _close_tracks(self, camera: _Camera, tracks: list[Track], findings: _Findings) -> None:
        for track in tracks:
            visit = camera.visits.pop(track.number)
            if track.hits >= CONFIRMING_HITS:
                findings.visits.append(self._visit(camera, track, visit, closed=True))
                findings.observations.append(self._observation(camera, track, visit))

    def _tell_news(self, camera: _Camera, track: Track, visit: _Visit, findings: _Findings) -> None:
        """Report a track when it becomes a visit, and after each second of it."""
        second_is_over = _second(track.last_seen) != visit.second_at and bool(visit.second)
        confirmed = track.hits >= CONFIRMING_HITS
        if track.hits == CONFIRMING_HITS or (confirmed and second_is_over):
            findings.visits.append(self._visit(camera, track, visit, closed=False))
        if confirmed and second_is_over:
            findings.observations.append(self._observation(camera, track, visit))

    def _visit(self, camera: _Camera, track: Track, visit: _Visit, closed: bool) -> Visit:
        return Visit(
            visit_id=_visit_id(camera.camera_id, track),
            camera_id=camera.camera_id,
            first_seen=track.first_seen,
            last_seen=track.last_seen,
            frames=track.hits,
            face_size=visit.sizes / track.hits,
            quality=visit.scores / track.hits,
            estimate=self._estimate(visit.whole),
            model=self._model,
            closed=closed,
        )

    def _observation(self, camera: _Camera, track: Track, visit: _Visit) -> Observation:
        return Observation(
            visit_id=_visit_id(camera.camera_id, track),
            camera_id=camera.camera_id,
            observed_at=visit.second_at,
            estimate=self._estimate(visit.second),
        )

    def _estimate(self, pool: Pool) -> Estimate:
        return pool.estimate(self._classifier.expression_head, self._classifier.gender_head)


def _second(time_us: int) -> int:
    return time_us - time_us % MICROSECONDS


def _visit_id(camera_id: str, track: Track) -> str:
    """An id that tells nothing of the person, yet is the same when the same frames come again."""
    text = f"{camera_id} {track.first_seen} {track.number}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
