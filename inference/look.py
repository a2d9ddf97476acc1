"""A look at the newest frame of a camera: what the tracker follows, and why something is not counted.

It exists in memory only, and only while somebody watches the camera (`inference.preview`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Estimate
from inference.detector import ScoreLevels
from inference.evidence import Doubt, Evidence, clear_level
from inference.tracking import Track
from inference.visits import OpenVisit, VisitBuilder, confirming_faces

SMALL_FACE = 24.0
"""Size in pixels, as the network sees the face, below which the size is the likely reason for a low score:
see `inference.detector`."""
_NEW_US = 5 * MICROSECONDS
"""People sway within this time; what did not move in it is probably a picture."""


@dataclass(frozen=True, slots=True)
class TrackLook:
    """One track: `box` x, y, width, height in pixels, predicted if `absent_s` seconds passed since its face.

    `faces` are those of its visit, or all detections of what is no person; `score` is the mean score of its
    last second. `counted`: it is a visit. `explanation` says why it is or is not, in words. `estimate` is
    that of the visit so far, None for what is no person.
    """

    number: int
    box: tuple[float, float, float, float]
    age_s: float
    absent_s: float
    faces: int
    score: float
    counted: bool
    explanation: str
    estimate: Estimate | None

    @property
    def size(self) -> float:
        """Size of the face in pixels."""
        return math.sqrt(self.box[2] * self.box[3])


@dataclass(frozen=True, slots=True)
class Look:
    """One analysed frame: grey (height, width) uint8, captured at microseconds UTC, and its tracks.

    `faces` (n, 4) float32 are the boxes in which a face is or may be: everything that was detected, however
    low its score, and where each track was and is expected. `unchanged` pictures before this one showed no
    change and were not analysed.
    """

    camera_id: str
    captured_at: int
    gray: NDArray[np.uint8]
    faces: NDArray[np.float32]
    tracks: tuple[TrackLook, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class LookMaker:
    """Describes the tracks of one camera at one frame, taken at `time_us`, with frames `spacing_us` apart.

    `scale` is the factor by which the frame was scaled for the detector.
    """

    builder: VisitBuilder
    levels: ScoreLevels
    time_us: int
    spacing_us: int
    scale: float = 1.0

    def find_faces(self, detected: NDArray[np.float32], tracks: Sequence[Track]) -> NDArray[np.float32]:
        """The boxes (n, 4) in which a face is or may be."""
        expected = [box for track in tracks for box in (track.box, track.predict(self.time_us))]
        return np.concatenate([detected, np.array(expected, np.float32).reshape(-1, 4)])

    def describe(
        self, tracks: Sequence[Track], evidence: Mapping[int, Evidence], visits: Mapping[int, OpenVisit]
    ) -> tuple[TrackLook, ...]:
        """Describe all tracks that have evidence, those with the largest faces first."""
        looks = [
            self._describe(track, evidence[track.number], visits.get(track.number))
            for track in tracks
            if track.number in evidence
        ]
        return tuple(sorted(looks, key=lambda look: (not look.counted, -look.size, look.number)))

    def _describe(self, track: Track, evidence: Evidence, visit: OpenVisit | None) -> TrackLook:
        x, y, width, height = (float(value) for value in track.predict(self.time_us))
        return TrackLook(
            number=track.number,
            box=(x, y, width, height),
            age_s=(self.time_us - track.first_seen) / MICROSECONDS,
            absent_s=(self.time_us - track.last_seen) / MICROSECONDS,
            faces=visit.faces if visit else track.hits,
            score=evidence.score,
            counted=bool(visit and visit.confirmed),
            explanation=self._explain(track, evidence, visit),
            estimate=self.builder.estimate(visit) if visit and visit.faces else None,
        )

    def _explain(self, track: Track, evidence: Evidence, visit: OpenVisit | None) -> str:
        doubts = evidence.doubts(self.levels, self.spacing_us)
        if visit and visit.confirmed:
            still = Doubt.OBJECT in doubts
            return "counted; has not moved for a minute, taken for an object now" if still else "counted"
        if not doubts:
            found, needed = visit.faces if visit else 0, confirming_faces(self.spacing_us)
            return f"not counted yet: {found} of {needed} faces"
        if Doubt.OBJECT in doubts:
            return "not counted: has not moved for a minute, taken for an object"
        reasons = []
        if unclear := self._explain_score(doubts, evidence.score):
            reasons.append(f"{self._explain_size(track)}{unclear}")
        if Doubt.UNMOVED in doubts:
            is_new = self.time_us - track.first_seen < _NEW_US
            reasons.append("has not moved yet" if is_new else "does not move, taken for a picture or poster")
        return f"not counted: {'; '.join(reasons)}"

    def _explain_size(self, track: Track) -> str:
        """That a face is small as the network sees it; empty where it is not."""
        size = math.sqrt(float(track.box[2] * track.box[3]))
        seen = size * self.scale
        if seen >= SMALL_FACE:
            return ""
        scaled = "" if round(seen) == round(size) else f", {seen:.0f} px for the detector"
        return f"too small, {size:.0f} px{scaled}: "

    def _explain_score(self, doubts: Collection[Doubt], score: float) -> str:
        if Doubt.FAINT in doubts:
            return f"score {score:.2f}, a face needs {self.levels.face:.2f}"
        if Doubt.UNCLEAR in doubts:
            return f"score {score:.2f}, and no second with {clear_level(self.levels):.2f} so far"
        return ""
