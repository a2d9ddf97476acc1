"""Detections against marked faces: which are right, which are wrong, and what follows from that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.detector import Faces
from training.detector.scenes import Scene

MATCH = 0.5
"""Intersection over union from which a detection is the face."""
NEAR = MATCH / 2
"""Intersection over union from which a detection is about a face that does not count."""
SMALLEST = 24.0
"""Size in pixels, as the network sees it, from which a face counts by default."""
LOWEST_SCORE = 0.02
LEAST_ALLOWED = 2
"""So many wrong detections have to be allowed for an interval: where one photograph decides the score, a
bootstrap over the photographs draws mostly that score again and does not cover what others would give."""


class FaceDetector(Protocol):
    """What is judged: Mien's own detector or the teacher."""

    def detect(self, grey: NDArray[np.uint8], lowest: float, /) -> Faces:
        """The faces of a grey picture (h, w) uint8 with scores from `lowest` on, best first."""
        ...

    def scale(self, height: int, width: int) -> float:
        """The factor by which a picture is scaled before it is searched."""
        ...


@dataclass(frozen=True)
class Outcome:
    """One photograph: scores of right and of wrong detections, and how many faces counted."""

    right: NDArray[np.float32]
    wrong: NDArray[np.float32]
    faces: int


@dataclass(frozen=True)
class Detected:
    """A photograph with what a detector found in it, however weak, and how much it was enlarged."""

    scene: Scene
    found: Faces
    scale: float


def detect(detector: FaceDetector, scene: Scene) -> Detected:
    """Everything that a detector finds in a photograph."""
    return Detected(scene, detector.detect(scene.pixels, LOWEST_SCORE), detector.scale(*scene.pixels.shape))


def judge(
    photograph: Detected,
    smallest: float = SMALLEST,
    largest: float = np.inf,
    among: NDArray[np.bool_] | None = None,
) -> Outcome:
    """Which detections are right: the best on each sure face of a size from `smallest` to below `largest`.

    `among` (n,) selects the labelled faces that count, all where None. Detections about faces that do not
    count, doubtful or of another size, are neither right nor wrong.
    """
    truth = photograph.scene.boxes
    sizes = np.sqrt(truth[:, 2] * truth[:, 3]) * photograph.scale
    counted = photograph.scene.sure & (sizes >= smallest) & (sizes < largest)
    if among is not None:
        counted &= among
    taken = np.zeros(len(truth), bool)
    right, wrong = [], []
    overlaps = overlap_matrix(photograph.found.boxes, truth)
    for row, score in zip(overlaps, photograph.found.scores.tolist(), strict=True):
        free = np.where(counted & ~taken, row, 0)
        if len(free) and free.max() >= MATCH:
            taken[free.argmax()] = True
            right.append(score)
        elif not (len(row) and np.where(counted, 0, row).max() >= NEAR):
            wrong.append(score)
    return Outcome(np.array(right, np.float32), np.array(wrong, np.float32), int(counted.sum()))


def average_precision(outcomes: Sequence[Outcome]) -> float:
    """Area under precision over recall, precision made monotonic (as PASCAL VOC does since 2010)."""
    scores = np.concatenate([np.concatenate([o.right, o.wrong]) for o in outcomes])
    right = np.concatenate([np.repeat([True, False], [len(o.right), len(o.wrong)]) for o in outcomes])
    right = right[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(right)
    precision = np.maximum.accumulate((hits / np.arange(1, len(right) + 1))[::-1])[::-1]
    return float(precision[right].sum() / max(faces(outcomes), 1))


def recall(outcomes: Sequence[Outcome], score: float) -> float:
    """Share of the counted faces that are found at `score` or above."""
    return sum(int((each.right >= score).sum()) for each in outcomes) / max(faces(outcomes), 1)


def false_per_1000(outcomes: Sequence[Outcome], score: float) -> float:
    """Wrong detections at `score` or above in a thousand photographs."""
    return 1000 * sum(int((each.wrong >= score).sum()) for each in outcomes) / len(outcomes)


def score_for(outcomes: Sequence[Outcome], allowed_per_1000: float) -> float:
    """The lowest score that leaves at most so many wrong detections in a thousand photographs.

    Of few photographs it may be the score above the single worst detection: see `allowed_wrong`.
    """
    wrong = np.sort(np.concatenate([each.wrong for each in outcomes]))[::-1]
    allowed = allowed_wrong(len(outcomes), allowed_per_1000)
    return float(np.nextafter(wrong[allowed], np.float32(1))) if allowed < len(wrong) else LOWEST_SCORE


def allowed_wrong(photographs: int, per_1000: float) -> int:
    """How many wrong detections `photographs` may hold in all: none in 116 where 1 in 1000 is allowed."""
    return int(per_1000 * photographs / 1000)


def faces(outcomes: Sequence[Outcome]) -> int:
    """How many faces count in all."""
    return sum(each.faces for each in outcomes)


def overlap_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union (n, m) of boxes (n, 4) and (m, 4)."""
    common = intersections(a, b)
    areas = a[:, 2:].prod(axis=1)[:, None] + b[:, 2:].prod(axis=1)[None]
    return np.asarray(common / np.maximum(areas - common, 1e-6), np.float32)


def intersections(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area (n, m) that boxes (n, 4) and (m, 4) have in common."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2), np.float32)
