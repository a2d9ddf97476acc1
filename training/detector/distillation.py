"""Distillation: the teacher's scores, merged with the labelled faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from training.detector.judging import intersections, overlap_matrix
from training.detector.scenes import Scene

SAME = 0.4
"""Intersection over union from which the teacher's box and a marked one are about the same face."""
ADDED = 0.15
"""Score from which a detection of the teacher alone is a target; its scores are low in crowds."""
HARD = 0.1
"""Score from which a place among goods is worth showing again and again."""
WITHIN = 0.5
"""Share of the smaller of a box and a labelled face that both may have in common before they count as one."""


def with_soft_scores(scene: Scene, seen: Mapping[str, list[tuple[float, ...]]]) -> Scene:
    """A scene whose scores the teacher has softened.

    `seen` holds score, x, y, w, h of the teacher's detections by photograph. The target of a sure face is the
    mean of 1 and the teacher's score, that of a doubtful one is the teacher's score; a doubtful one that the
    teacher does not detect is ignored. Detections of the teacher alone are added with its score.
    """
    found = np.array(seen.get(scene.name, []), np.float32).reshape(-1, 5)
    overlaps = overlap_matrix(found[:, 1:], scene.boxes)
    matched = overlaps >= SAME
    theirs = np.where(matched, found[:, :1], 0.0).max(axis=0, initial=0.0)
    softened = np.where(scene.sure, (1 + theirs) / 2, np.where(theirs > 0, theirs, np.nan))
    alone = (found[:, 0] >= ADDED) & ~matched.any(axis=1) & ~_inside(found[:, 1:], scene.boxes)
    added = found[alone]
    return replace(
        scene,
        boxes=np.concatenate([scene.boxes, added[:, 1:]]),
        sure=np.concatenate([scene.sure, np.zeros(len(added), bool)]),
        scores=np.concatenate([softened, added[:, 0]]).astype(np.float32),
    )


def with_hard_places(goods: Scene, seen: Mapping[str, list[tuple[float, ...]]]) -> Scene:
    """A photograph of goods with the boxes of what the teacher takes for faces, which none is."""
    found = np.array(seen.get(goods.name, []), np.float32).reshape(-1, 5)
    found = found[found[:, 0] >= HARD]
    nothing = np.zeros(len(found), np.float32)
    return replace(goods, boxes=found[:, 1:], sure=nothing > 0, scores=nothing)


def _inside(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which boxes (n, 4) are by more than `WITHIN` inside one of the others (m, 4), or contain it: (n,)."""
    common = intersections(boxes, others)
    area = np.maximum(np.minimum(boxes[:, 2:].prod(axis=1)[:, None], others[:, 2:].prod(axis=1)[None]), 1e-6)
    return np.asarray((common / area > WITHIN).any(axis=1))
