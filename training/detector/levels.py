"""What a detector's scores are worth: the levels that its file carries, from photographs that it may see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.detector import Detector, ScoreLevels
from training.detector.judging import Outcome, detect, faces, judge, score_for
from training.detector.scenes import load_groceries, load_scenes

WEAK_PER_1000 = 1000
"""False faces in 1000 photographs of goods that a tracker can afford to follow: one in each."""
PLATEAU = 0.01
"""F1 hardly changes around its maximum, whose exact place is chance: the middle of all scores is taken
whose F1 differs by at most this from the best."""
SURE_STEP = 0.05
"""The level of no doubt is rounded up to a multiple of this."""


def measure_levels(detector: Detector, data: Path) -> ScoreLevels:
    """The levels of a detector at the size at which it runs; raises DatasetError.

    `face` comes from the validation part. `weak` and `sure` depend on rare detections, so the goods of
    the training part are looked at, too: false faces are as frequent there as in the validation part.
    """
    scenes = [judge(detect(detector, scene)) for scene in load_scenes(data, "validation")]
    goods = [judge(detect(detector, scene)) for scene in load_groceries(data, "validation")]
    known = [judge(detect(detector, scene)) for scene in load_groceries(data, "train")]
    face = balanced_score(scenes + goods)
    weak = min(score_for(goods + known, WEAK_PER_1000), face)
    sure = max(math.ceil(score_for(goods + known, 0) / SURE_STEP) * SURE_STEP, face)
    return ScoreLevels(round(weak, 3), round(face, 3), round(sure, 3))


def balanced_score(outcomes: Sequence[Outcome]) -> float:
    """The middle of the scores whose F1 is as good as the best."""
    right = np.concatenate([each.right for each in outcomes])
    wrong = np.concatenate([each.wrong for each in outcomes])
    scores = np.arange(0.05, 0.96, 0.005)
    hits = (right[None] >= scores[:, None]).sum(axis=1)
    found = hits + (wrong[None] >= scores[:, None]).sum(axis=1)
    f1 = 2 * hits / (found + faces(outcomes))
    return float(scores[f1 >= f1.max() - PLATEAU].mean())
