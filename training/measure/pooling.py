"""How a track's faces are best turned into one answer: ways of pooling, measured on made visitors.

Every way is a weighted mean per visit, either of the probabilities or of their logarithms. The latter is the
mean of the logits, and for two classes the mean of the log-odds. Only validation pictures are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference.classifier import Classifier, softmax
from inference.crops import squares
from inference.detector import Detector
from inference.model_file import shipped
from inference.pooling import LEAST, face_weight, sharpness
from inference.visits import CONFIRMING_FACES
from training.classifier.inputs import whole_squares
from training.classifier.losses import one_hot
from training.data import datasets
from training.data.importers import load_fairface, load_fer2013
from training.errors import DatasetError
from training.measure.calibration import calibration_error, crossentropies
from training.measure.figures import mcnemar, mean, share
from training.measure.visitors import FRAMES, GAITS, PER_SECOND, Sightings, sightings

SEED = 1
TAU = 0.5
"""Time constant of the moving average in seconds."""

Floats = NDArray[np.float64]
Scale = Literal["probabilities", "logits"]
Way = tuple[Scale, str]
"""What is averaged, and the name of the weights."""
Follow = Callable[[str, Iterable[int]], Iterable[int]]

SCALES: tuple[Scale, ...] = ("probabilities", "logits")
BASELINE: Way = ("probabilities", "all alike")
"""What every other way is compared with."""


SHIPPED: Way = ("logits", "score x size x sharpness, squared")
"""What `inference.pooling` does."""


def quality(seen: Sightings) -> Floats:
    """What each face weighs while Mien runs (m,)."""
    each = zip(seen.crops, seen.sizes.tolist(), seen.scores.tolist(), strict=True)
    return np.array([face_weight(crop, size, score) for crop, size, score in each])


def recency(seen: Sightings) -> Floats:
    """Weights (m,) that make a weighted mean what a moving average of time constant TAU ends at.

    The average begins with the first face and goes towards each later one by 1 - exp(-gap / TAU).
    """
    first = np.diff(seen.clips, prepend=-1) != 0
    gaps = np.where(first, np.inf, np.diff(seen.times, prepend=0))
    ends = np.zeros(seen.clips.max(initial=-1) + 1)
    np.maximum.at(ends, seen.clips, seen.times)
    return np.asarray((1 - np.exp(-gaps / TAU)) * np.exp(-(ends[seen.clips] - seen.times) / TAU))


WEIGHTS: Mapping[str, Callable[[Sightings], Floats]] = {
    "all alike": lambda seen: np.ones(len(seen.clips)),
    "detector score": lambda seen: seen.scores,
    "size": lambda seen: seen.sizes,
    "sharpness": lambda seen: np.array([sharpness(crop) for crop in seen.crops]),
    "score x size x sharpness": lambda seen: np.sqrt(quality(seen)),
    "score x size x sharpness, squared": quality,
    "moving average": recency,
    "last face alone": lambda seen: (np.diff(seen.clips, append=-1) != 0).astype(np.float64),
}
"""What a face may weigh in its visit."""


@dataclass(frozen=True)
class _Stills:
    """Pictures (n, h, w), squares around their faces (n, 3), and the truth (n, k)."""

    images: NDArray[np.uint8]
    squares: NDArray[np.float32]
    truth: NDArray[np.float32]


def measure(data: Path, cache: Path, faces: int, follow: Follow = lambda _, clips: clips) -> dict[str, Any]:
    """Figures of every way on so many clips of each kind, ready for JSON.

    `follow` is told what the clips show and wraps the numbers of those that are gone through. Raises
    DatasetError or ModelError.
    """
    detector, path = Detector(), shipped("faces")
    classifier = Classifier(path)
    figures: dict[str, Any] = {gait: {} for gait in GAITS}
    for head, stills in _stills(data, cache, faces).items():
        for name, gait in GAITS.items():
            wrap = partial(follow, f"{head}, {name}")
            seen = sightings(stills.images, stills.squares, detector, classifier.size, gait, SEED, wrap)
            classes = classifier.classify(seen.crops)
            found = classes.expressions if head == "expression" else classes.genders
            figures[name][head] = compared(seen, found, stills.truth)
    return {
        "model": {"file": path.name, "run": classifier.metadata.run},
        "clips": {"frames": FRAMES, "per_second": PER_SECOND, "seed": SEED},
        "gaits": figures,
    }


def compared(seen: Sightings, found: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, Any]:
    """Figures of every way, given the probabilities (m, k) of the sightings and the clips' truth (n, k).

    A clip counts as a visit where as many faces were seen as confirm one; raises DatasetError where hardly
    any does.
    """
    counts = np.bincount(seen.clips, minlength=len(truth))
    visits = counts >= CONFIRMING_FACES
    if visits.sum() < 2:
        raise DatasetError(f"the detector saw faces in {visits.sum()} of {len(truth)} clips; give more")
    labels = truth.argmax(axis=1)[visits]
    weights = {name: weigh(seen) for name, weigh in WEIGHTS.items()}
    pools: dict[Way, NDArray[np.float32]] = {
        (scale, name): pooled(found, weight, seen.clips, len(truth), scale)[visits]
        for scale in SCALES
        for name, weight in weights.items()
    }
    right = {way: probabilities.argmax(axis=1) == labels for way, probabilities in pools.items()}
    losses = {
        way: crossentropies(probabilities.astype(np.float64), truth[visits])
        for way, probabilities in pools.items()
    }
    ways = [
        {
            "of": way[0],
            "weights": way[1],
            "right": asdict(share(right[way])),
            "crossentropy": round(float(losses[way].mean()), 4),
            "ece": round(calibration_error(pools[way], truth[visits]), 4),
            "against_mean": {
                "gained": int((right[way] & ~right[BASELINE]).sum()),
                "lost": int((~right[way] & right[BASELINE]).sum()),
                "p": round(mcnemar(right[way], right[BASELINE]), 4),
                "crossentropy": asdict(mean(losses[way] - losses[BASELINE])),
            },
        }
        for way in pools
    ]
    return {
        "clips": len(truth),
        "visits": int(visits.sum()),
        "faces_per_visit": round(float(counts[visits].mean()), 2),
        "ways": ways,
    }


def pooled(
    found: NDArray[np.float32], weights: Floats, clips: NDArray[np.int64], n: int, scale: Scale
) -> NDArray[np.float32]:
    """One distribution per clip (n, k) from probabilities (m, k) and weights (m,); 0 for an empty clip."""
    values = found.astype(np.float64)
    if scale == "logits":
        values = np.log(values.clip(LEAST, 1 - LEAST))
    sums, totals = np.zeros((n, found.shape[1])), np.zeros(n)
    np.add.at(sums, clips, weights[:, None] * values)
    np.add.at(totals, clips, weights)
    means = (sums / np.where(totals, totals, 1)[:, None]).astype(np.float32)
    return softmax(means, 1.0) if scale == "logits" else means


def _stills(data: Path, cache: Path, faces: int) -> dict[str, _Stills]:
    """What the clips of each head are made of: so many validation pictures, drawn at random."""
    public = load_fer2013(data, cache).part("PublicTest")
    clear = datasets.usable(public.votes) & datasets.ferplus_argmax(public.votes)[0]
    public = public.rows(_drawn(clear, faces))
    people = load_fairface(data, cache, "train")
    people = people.rows(_drawn(people.held_out(), faces))
    votes = datasets.expression_targets(public.votes)
    genders = one_hot(people.genders, len(datasets.GENDERS))
    return {
        "expression": _Stills(public.images, whole_squares(len(public.images)), votes),
        "gender": _Stills(people.images, squares(people.boxes), genders),
    }


def _drawn(rows: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(SEED).permutation(np.flatnonzero(rows))[:count])
