"""Analyser that turns frames into visits and observations: deterministic, without a clock and without I/O.

One analyser serves any number of cameras. It keeps a state for each camera: its tracks, the evidence that
each track is a person, and the open visits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bus.messages import EVERYTHING, MICROSECONDS, OFF, Observation, Results, Switches, Visit
from inference.classifier import Classes, ClassifierHead
from inference.crops import crop
from inference.detector import Faces, ScoreLevels
from inference.evidence import SLOW_US, Evidence
from inference.look import Look, LookMaker
from inference.opening import KeptFace, Opening
from inference.preview import PreviewBoard
from inference.spacing import LONGEST_US, Spacing
from inference.tracking import MISSED, Tracker, TrackerSettings
from inference.visits import OpenVisit, VisitBuilder

MAX_ABSENCE_US = 10 * MICROSECONDS
"""If a track is not a person's for longer than this and then is again, a new visit starts: somebody stepped
in front of a tracked object. With frames far apart it is the tracker's gap."""


class FaceDetector(Protocol):
    """Finds faces; the shipped implementation is `inference.detector.Detector`."""

    levels: ScoreLevels

    def detect(self, gray: NDArray[np.uint8], lowest: float | None = None) -> Faces:
        """All faces of a grey picture (height, width) uint8 with a score of at least `lowest`, in any order.

        None stands for `levels.face`.
        """


class FaceClassifier(Protocol):
    """Estimates expression and gender; the shipped implementation is `inference.classifier.Classifier`."""

    expression_head: ClassifierHead
    gender_head: ClassifierHead

    @property
    def size(self) -> int:
        """Side of the crops it takes, in pixels."""

    def classify(self, crops: NDArray[np.uint8], switches: Switches = EVERYTHING) -> Classes:
        """One row for each of the crops (n, size, size) uint8; what is switched off has no columns."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The result of one frame: the number of people's faces in it, and what it adds to the results."""

    faces: int
    results: Results


@dataclass(slots=True)
class _CameraState:
    builder: VisitBuilder
    tracker: Tracker
    spacing: Spacing = field(default_factory=Spacing)
    spacing_us: int = 0
    """Spacing of frames by which the faces of the newest frame are judged: the usual one, but 0 directly
    after an interruption."""
    shape: tuple[int, ...] = ()
    """Height and width of the newest frame."""
    switches: Switches = EVERYTHING
    evidence: dict[int, Evidence] = field(default_factory=dict)
    """By track number, as `visits`."""
    visits: dict[int, OpenVisit] = field(default_factory=dict)
    opening: Opening = field(default_factory=Opening)


@dataclass(slots=True)
class _NewRows:
    """The rows of one frame, in the order in which they arise."""

    visits: list[Visit] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)

    def add_observation(self, observation: Observation) -> None:
        """Add an observation, unless nothing was estimated."""
        if (observation.estimate.expression, observation.estimate.gender) != (OFF, OFF):
            self.observations.append(observation)

    def to_results(self) -> Results:
        return Results(tuple(self.visits), tuple(self.observations))


class Analyser:
    """Detects, tracks and classifies the faces of each camera's frames.

    Args:
        detector: finds the faces.
        classifier: estimates expression and gender of people's faces.
        model: the model name that is stored with each visit.
        tracking: limits for matching faces to tracks.
        thorough: finds the faces of cameras whose small faces are searched; None for `detector`.
        previews: gets a look at each frame of the cameras that somebody watches; results do not depend on it.
    """

    def __init__(
        self,
        detector: FaceDetector,
        classifier: FaceClassifier,
        model: str,
        tracking: TrackerSettings | None = None,
        thorough: FaceDetector | None = None,
        previews: PreviewBoard | None = None,
    ) -> None:
        self._detector = detector
        self._thorough = thorough or detector
        self._classifier = classifier
        self._model = model
        self._tracking = tracking or TrackerSettings()
        self._previews = previews
        self._cameras: dict[str, _CameraState] = {}

    def analyse(
        self,
        camera_id: str,
        captured_at: int,
        gray: NDArray[np.uint8],
        unchanged: int = 0,
        thorough: bool = False,
        switches: Switches = EVERYTHING,
    ) -> Analysis:
        """Analyse the next frame of a camera: grey (height, width) uint8, captured at microseconds UTC.

        `unchanged` is the number of pictures between this frame and the previous one that showed no change
        and were not published: nobody left in that time. With `thorough` small faces are searched. What is
        off in `switches` is not estimated, and earlier estimates of open visits are dropped.

        A camera's frames must come in the order of their capture. A gap, a time before that of the previous
        frame and another size of the picture interrupt the camera: its visits end, and in this frame, as in
        the first of all, no single face is evidence of a person.
        """
        if camera_id not in self._cameras:
            self._cameras[camera_id] = self._make_state(camera_id)
        camera = self._cameras[camera_id]
        rows = _NewRows()
        _switch(camera, switches)
        _begin_frame(camera, captured_at, unchanged, gray.shape, rows)
        detector = self._thorough if thorough else self._detector
        faces = detector.detect(gray, detector.levels.weak)
        people = self._find_people(camera, faces, captured_at, gray)
        indices = list(people)
        crops = crop(gray, faces.boxes[indices], self._classifier.size)
        classes = self._classifier.classify(crops, switches)
        for row, (index, track) in enumerate(people.items()):
            visit = _get_visit(camera, track, captured_at, rows)
            second = camera.builder.build_observation(visit) if visit.ends_second(captured_at) else None
            box, score = faces.boxes[index], float(faces.scores[index])
            visit.add_face(classes, row, crops[row], box, score, captured_at)
            if visit.confirm(camera.spacing_us) or (visit.confirmed and second):
                rows.visits.append(camera.builder.build_visit(visit, closed=False))
            if visit.confirmed and second:
                rows.add_observation(second)
        if self._previews and self._previews.is_watched(camera_id):
            self._previews.show(self._look(camera_id, captured_at, gray, faces, unchanged))
        return Analysis(len(people), rows.to_results())

    def close(self, camera_id: str, ended: bool = True) -> Results:
        """Close the open visits of a camera and drop its state.

        `ended`: its recording has come to its end. A live camera is only interrupted: who was filmed too
        briefly to move may be a poster, which would be a visitor again after each interruption.
        """
        rows = _NewRows()
        camera = self._cameras.pop(camera_id, None)
        if camera is not None:
            tracks = [track.number for track in camera.tracker.end()]
            if ended:
                for track in tracks:
                    self._count_opening(camera, track)
            _end_tracks(camera, tracks, rows)
        return rows.to_results()

    def longest_wait_us(self, camera_id: str) -> int:
        """Time within which the next frame of a camera with a state is expected, in microseconds.

        As long as the spacing of its frames is not known, it may be that of the lowest rate.
        """
        return round(MISSED * (self._cameras[camera_id].spacing.usual_us or LONGEST_US))

    @property
    def cameras(self) -> tuple[str, ...]:
        """The cameras that have a state."""
        return tuple(self._cameras)

    def _make_state(self, camera_id: str) -> _CameraState:
        heads = self._classifier.expression_head, self._classifier.gender_head
        return _CameraState(VisitBuilder(camera_id, *heads, self._model), Tracker(self._tracking))

    def _look(
        self, camera_id: str, time_us: int, gray: NDArray[np.uint8], faces: Faces, unchanged: int
    ) -> Look:
        """A look at the frame that was just analysed."""
        camera = self._cameras[camera_id]
        maker = LookMaker(camera.builder, self._detector.levels, time_us, camera.spacing_us, faces.scale)
        tracks = camera.tracker.tracks
        boxes = maker.find_faces(faces.boxes, tracks)
        described = maker.describe(tracks, camera.evidence, camera.visits)
        return Look(camera_id, time_us, gray, boxes, described, unchanged)

    def _find_people(
        self, camera: _CameraState, faces: Faces, time_us: int, gray: NDArray[np.uint8]
    ) -> dict[int, int]:
        """The faces that are people's: index of the face to number of its track."""
        people: dict[int, int] = {}
        opening = camera.opening.includes(time_us)
        for index, track in enumerate(camera.tracker.update(faces.boxes, time_us)):
            evidence = camera.evidence.setdefault(track.number, Evidence())
            box, score = faces.boxes[index], float(faces.scores[index])
            evidence.add_detection(box, score, time_us, gray)
            if evidence.is_person(self._detector.levels, camera.spacing_us):
                people[index] = track.number
            elif opening and evidence.lacks_movement_alone(self._detector.levels):
                face = crop(gray, box[None], self._classifier.size)[0]
                camera.opening.keep(track.number, KeptFace(face, box, score, time_us))
        return people

    def _count_opening(self, camera: _CameraState, track: int) -> None:
        """Count the kept faces of a track whose camera ends before anybody had time to move."""
        kept = camera.opening.take(track)
        if not kept or not camera.evidence[track].lacks_movement_alone(self._detector.levels):
            return
        classes = self._classifier.classify(np.stack([face.crop for face in kept]), camera.switches)
        visit = camera.visits.setdefault(track, OpenVisit(track, kept[0].time_us, kept[0].time_us))
        for row, face in enumerate(kept):
            visit.add_face(classes, row, face.crop, face.box, face.score, face.time_us)
        visit.confirm(camera.spacing.usual_us)


def _switch(camera: _CameraState, switches: Switches) -> None:
    """Set the switches, and drop the estimates of open visits that are off now: no face may follow."""
    if switches != camera.switches:
        camera.switches = switches
        for visit in camera.visits.values():
            visit.drop_estimates(switches)


def _begin_frame(
    camera: _CameraState, time_us: int, unchanged: int, shape: tuple[int, ...], rows: _NewRows
) -> None:
    """End the tracks that do not reach a frame at `time_us`, and set the spacing that judges its faces.

    No track continues after an interruption: a gap, a clock that was set back, or another size of the
    pictures, whose pixels are not those of the boxes. The faces that were there before it are new tracks
    then, posters too, so that a single face must not be enough, however far apart frames are.
    """
    previous = camera.spacing.latest_us
    still_us = camera.spacing.add(time_us, unchanged).still_us
    spacing = camera.spacing.usual_us
    camera.tracker.pause(still_us)
    has_gap = not 0 <= time_us - still_us - previous <= camera.tracker.gap_us(spacing)
    interrupted = has_gap or shape != camera.shape
    ended = camera.tracker.end() if interrupted else camera.tracker.expire(time_us, spacing)
    _end_tracks(camera, [track.number for track in ended], rows)
    camera.spacing_us = 0 if interrupted else spacing
    camera.shape = shape


def _get_visit(camera: _CameraState, track: int, time_us: int, rows: _NewRows) -> OpenVisit:
    """The open visit of a track; starts one if there is none or if it was absent for too long."""
    visit = camera.visits.get(track)
    absence = max(MAX_ABSENCE_US, camera.tracker.gap_us(camera.spacing.usual_us))
    if visit and time_us - visit.last_seen > absence:
        _close_visit(camera, track, rows)
    return camera.visits.setdefault(track, OpenVisit(track, time_us, time_us))


def _end_tracks(camera: _CameraState, tracks: Iterable[int], rows: _NewRows) -> None:
    for track in tracks:
        del camera.evidence[track]
        _close_visit(camera, track, rows)


def _close_visit(camera: _CameraState, track: int, rows: _NewRows) -> None:
    visit = camera.visits.pop(track, None)
    last = camera.builder.close_visit(visit, _end_of(visit, camera.spacing)) if visit else None
    if last:
        rows.visits.append(last[0])
        rows.add_observation(last[1])


def _end_of(visit: OpenVisit, spacing: Spacing) -> int:
    """The end of a visit in microseconds: its latest face, and with frames far apart one spacing later.

    Somebody who is in n such frames was there for n spacings on average.
    """
    if spacing.usual_us < SLOW_US:
        return visit.last_seen
    return max(min(visit.last_seen + spacing.usual_us, spacing.latest_us), visit.last_seen)
