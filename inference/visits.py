"""Visits while they are open, and the visit builder that turns them into rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Estimate, Observation, Switches, Visit
from inference.classifier import Classes, ClassifierHead
from inference.pooling import Pool, face_weight

CONFIRMING_FACES = 3
"""Faces from which a track is a visit; fewer are too little evidence of a person."""
_TWO_FACES_US, _ONE_FACE_US = 3 * MICROSECONDS // 4, 3 * MICROSECONDS // 2
"""Spacings of frames from which two faces make a visit, and one: few visitors stay for three frames."""


def confirming_faces(spacing_us: int) -> int:
    """The number of faces from which a track is a visit if frames are `spacing_us` apart."""
    if spacing_us >= _ONE_FACE_US:
        return 1
    return 2 if spacing_us >= _TWO_FACES_US else CONFIRMING_FACES


@dataclass(frozen=True, slots=True)
class VisitBuilder:
    """Builds the visits and observations of one camera from its open visits."""

    camera_id: str
    expression_head: ClassifierHead
    gender_head: ClassifierHead
    model: str

    def build_visit(self, open_visit: OpenVisit, closed: bool) -> Visit:
        """The visit up to its latest face."""
        return Visit(
            visit_id=self._visit_id(open_visit),
            camera_id=self.camera_id,
            first_seen=open_visit.first_seen,
            last_seen=open_visit.last_seen,
            frames=open_visit.faces,
            face_size=open_visit.size_sum / open_visit.faces,
            quality=open_visit.score_sum / open_visit.faces,
            estimate=self._estimate(open_visit.pool),
            model=self.model,
            closed=closed,
        )

    def close_visit(self, open_visit: OpenVisit, until: int) -> tuple[Visit, Observation] | None:
        """The last rows of a visit: closed, and its latest second; None if too few faces confirm it.

        The visit lasts `until` this time, which is its latest face or later.
        """
        if not open_visit.confirmed:
            return None
        closed = replace(self.build_visit(open_visit, closed=True), last_seen=until)
        return closed, self.build_observation(open_visit)

    def build_observation(self, open_visit: OpenVisit) -> Observation:
        """The observation of the visit's latest second."""
        return Observation(
            visit_id=self._visit_id(open_visit),
            camera_id=self.camera_id,
            observed_at=open_visit.second_start,
            estimate=self._estimate(open_visit.second_pool),
        )

    def estimate(self, open_visit: OpenVisit) -> Estimate:
        """The estimate of the visit up to its latest face; raises ValueError without a face."""
        return self._estimate(open_visit.pool)

    def _estimate(self, pool: Pool) -> Estimate:
        return pool.estimate(self.expression_head, self.gender_head)

    def _visit_id(self, open_visit: OpenVisit) -> str:
        """A deterministic id: the same frames give the same id, which holds nothing about the person."""
        text = f"{self.camera_id} {open_visit.first_seen} {open_visit.track}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class OpenVisit:
    """The faces of one track so far: `track` is its number, times are microseconds UTC."""

    track: int
    first_seen: int
    last_seen: int
    faces: int = 0
    size_sum: float = 0.0
    score_sum: float = 0.0
    pool: Pool = field(default_factory=Pool)
    """Estimates of all faces."""
    second_pool: Pool = field(default_factory=Pool)
    """Estimates of the faces in the latest second."""
    second_start: int = 0
    confirmed: bool = False
    """Whether there are enough faces for a visit."""

    def confirm(self, spacing_us: int) -> bool:
        """Confirm the visit if it has enough faces with frames `spacing_us` apart.

        Returns whether it is confirmed now and was not before.
        """
        if self.confirmed or self.faces < confirming_faces(spacing_us):
            return False
        self.confirmed = True
        return True

    def ends_second(self, time_us: int) -> bool:
        """Whether a face at that time belongs to another second than the latest face."""
        return bool(self.second_pool) and _start_of_second(time_us) != self.second_start

    def add_face(
        self,
        classes: Classes,
        row: int,
        crop: NDArray[np.uint8],
        box: NDArray[np.float32],
        score: float,
        time_us: int,
    ) -> None:
        """Add a face: row `row` of `classes`, the crop that was classified, box (4,) in pixels, score."""
        size = float(np.sqrt(box[2] * box[3]))
        weight = face_weight(crop, size, score)
        self.faces += 1
        self.last_seen = time_us
        self.size_sum += size
        self.score_sum += score
        self.pool.add(classes, row, weight)
        if _start_of_second(time_us) != self.second_start:
            self.second_pool, self.second_start = Pool(), _start_of_second(time_us)
        self.second_pool.add(classes, row, weight)

    def drop_estimates(self, switches: Switches) -> None:
        """Drop the estimates so far of what is off in `switches`."""
        self.pool.drop(switches)
        self.second_pool.drop(switches)


def _start_of_second(time_us: int) -> int:
    return time_us - time_us % MICROSECONDS
