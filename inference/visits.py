"""A visit while it lasts: what was seen of one person by one camera, and how that is told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, Estimate, Observation, Visit
from inference.classifier import Classes, Head
from inference.pooling import Pool, face_weight

CONFIRMING_FACES = 3
"""Faces that make a visit; what is seen less often tells too little of anybody."""


@dataclass(frozen=True, slots=True)
class Teller:
    """What all visits of one camera are told with."""

    camera_id: str
    expression_head: Head
    gender_head: Head
    model: str

    def visit(self, seen: OpenVisit, closed: bool) -> Visit:
        """The visit so far."""
        return Visit(
            visit_id=self._visit_id(seen),
            camera_id=self.camera_id,
            first_seen=seen.first_seen,
            last_seen=seen.last_seen,
            frames=seen.faces,
            face_size=seen.sizes / seen.faces,
            quality=seen.scores / seen.faces,
            estimate=self._estimate(seen.whole),
            model=self.model,
            closed=closed,
        )

    def observation(self, seen: OpenVisit) -> Observation:
        """The visit's latest second so far."""
        return Observation(
            visit_id=self._visit_id(seen),
            camera_id=self.camera_id,
            observed_at=seen.second_at,
            estimate=self._estimate(seen.second),
        )

    def _estimate(self, pool: Pool) -> Estimate:
        return pool.estimate(self.expression_head, self.gender_head)

    def _visit_id(self, seen: OpenVisit) -> str:
        """An id that tells nothing of the person, yet is the same when the same frames come again."""
        text = f"{self.camera_id} {seen.first_seen} {seen.track}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class OpenVisit:
    """What was seen so far: `track` is the number of the track, times are microseconds UTC."""

    track: int
    first_seen: int
    last_seen: int
    faces: int = 0
    sizes: float = 0.0
    scores: float = 0.0
    whole: Pool = field(default_factory=Pool)
    second: Pool = field(default_factory=Pool)
    second_at: int = 0

    @property
    def confirmed(self) -> bool:
        """Whether it is a visit yet."""
        return self.faces >= CONFIRMING_FACES

    def ends_second(self, time_us: int) -> bool:
        """Whether a face at that time begins another second than the one that was seen."""
        return bool(self.second) and _second(time_us) != self.second_at

    def see(
        self,
        classes: Classes,
        row: int,
        crop: NDArray[np.uint8],
        box: NDArray[np.float32],
        score: float,
        time_us: int,
    ) -> None:
        """Take a face: row `row` of `classes`, what they were told from, box (4,) in pixels, score."""
        size = float(np.sqrt(box[2] * box[3]))
        weight = face_weight(crop, size, score)
        self.faces += 1
        self.last_seen = time_us
        self.sizes += size
        self.scores += score
        self.whole.add(classes, row, weight)
        if _second(time_us) != self.second_at:
            self.second, self.second_at = Pool(), _second(time_us)
        self.second.add(classes, row, weight)


def _second(time_us: int) -> int:
    return time_us - time_us % MICROSECONDS
