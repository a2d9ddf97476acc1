"""Where `inference.crops` gets its constants: the framing under which FairFace looks like FER2013."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.crops import crop
from training.data import datasets
from training.data.importers import load_fairface, load_fer2013

SCALES = np.arange(1.0, 1.26, 0.02)
SHIFTS = np.arange(-0.08, 0.05, 0.01)
PICTURES = 3000


@dataclass(frozen=True)
class Framing:
    """Crop constants and how well the mean crop under them matches FER2013's mean picture."""

    scale: float
    shift: float
    correlation: float


def search(data: Path, cache: Path) -> Framing:
    """The framing of FairFace training faces with the highest correlation of the mean pictures."""
    fer = load_fer2013(data, cache).part("Training")
    people = load_fairface(data, cache, "train")
    people = people.rows(np.flatnonzero(~people.held_out())[:PICTURES])
    target = fer.images.mean(axis=0)
    found = [
        Framing(float(scale), float(shift), _correlation(people, target, scale, shift))
        for scale, shift in product(SCALES, SHIFTS)
    ]
    return max(found, key=lambda framing: framing.correlation)


def _correlation(people: datasets.FairFace, target: NDArray[np.float64], scale: float, shift: float) -> float:
    crops = [
        crop(image, box[None], datasets.FER_SIDE, scale, shift)[0]
        for image, box in zip(people.images, people.boxes, strict=True)
    ]
    return float(np.corrcoef(np.mean(crops, axis=0).ravel(), target.ravel())[0, 1])
