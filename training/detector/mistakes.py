"""Hard negatives: places without a face that a detector takes for one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.progress import track

from training.detector.judging import FaceDetector, intersections
from training.detector.scenes import Scene
from training.detector.synthesis import Place

LOWEST = 0.1
"""Score from which a detection among nothing but background is worth showing again and again."""


def find_mistakes(detector: FaceDetector, photographs: Sequence[Scene]) -> list[Place]:
    """What the detector sees in photographs, away from everything that is marked in them."""
    places = []
    for scene in track(photographs, "photographs without faces", transient=True):
        found = detector.detect(scene.pixels, LOWEST).boxes
        alone = ~(intersections(found, scene.boxes) > 0).any(axis=1)
        places += [Place(scene, np.asarray(box, np.float32)) for box in found[alone]]
    return places
