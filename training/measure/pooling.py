"""Ways of pooling a track's faces into one estimate, measured on synthetic visitors.

Every way is a weighted mean per visit, of the probabilities or of their logarithms. The latter is the mean
of the logits; for two classes it is the mean of the log-odds. Only the validation split is used.
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
from training.measure.statistics import mcnemar, mean, share
from training.measure.visitors import FRAMES, GAITS, PER_SECOND, Sightings, sightings

SEED = 1
TAU = 0.5
"""Time constant of the moving average in seconds."""

Floats = NDArray[np.float64]
Scale = Literal["probabilities", "logits"]
Way = tuple[Scale, str]
"""The scale that is averaged, and the name of the weights."""
WrapClips = Callable[[str, Iterable[int]], Iterable[int]]

SCALES: tuple[Scale, ...] = ("probabilities", "logits")
BASELINE: Way = ("probabilities", "all alike")
"""The way that all others are compared with."""

SHIPPED: Way = ("logits", "score x size x sharpness, squared")
"""The way that `inference.pooling` uses."""


def quality(seen: Sightings) -> Floats:
    """The weight of each face in the runtime (m,)."""
    each = zip(seen.crops, seen.sizes.tolist(), seen.scores.tolist(), strict=True)
    return np.array([face_weight(crop, size, score) for crop, size, score in each])


def recency(seen: Sightings) -> Floats:
    """Weights (m,) of an exponential moving average with time constant TAU at the end of each clip.

    The average starts with the first face and moves towards each later one by 1 - exp(-gap / TAU).
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
"""Ways to weight the faces of a visit."""


@dataclass(frozen=True)
class _Pictures:
    """Pictures (n, h, w), squares around their faces (n, 3), and the truth (n, k)."""

    images: NDArray[np.uint8]
    squares: NDArray[np.float32]
    truth: NDArray[np.float32]


def measure(
    data: Path, cache: Path, faces: int, wrap_clips: WrapClips = lambda _, clips: clips
) -> dict[str, Any]:
    """Figures of every way on `faces` clips of each kind, ready for JSON.

    `wrap_clips` gets a description and the clip numbers, and returns them, for example with a progress bar.
    Raises DatasetError or ModelError.
    """
    detector, path = Detector(), shipped("faces")
    classifier = Classifier(path)
    figures: dict[str, Any] = {gait: {} for gait in GAITS}
    for head, stills in _load_pictures(data, cache, faces).items():
        for name, gait in GAITS.items():
            wrap = partial(wrap_clips, f"{head}, {name}")
            seen = sightings(stills.images, stills.squares, detector, classifier.size, gait, SEED, wrap)
            classes = classifier.classify(seen.crops)
            found = classes.expressions if head == "expression" else classes.genders
            figures[name][head] = compare_ways(seen, found, stills.truth)
    return {
        "model": {"file": path.name, "run": classifier.metadata.run},
        "clips": {"frames": FRAMES, "per_second": PER_SECOND, "seed": SEED},
        "gaits": figures,
    }


def compare_ways(seen: Sightings, found: NDArray[np.float32], truth: NDArray[np.float32]) -> dict[str, Any]:
    """Figures of every way, given the probabilities (m, k) of the sightings and the clips' truth (n, k).

    A clip with enough faces to confirm a track counts as a visit; raises DatasetError if there are fewer
    than two visits.
    """
    counts = np.bincount(seen.clips, minlength=len(truth))
    visits = counts >= CONFIRMING_FACES
    if visits.sum() < 2:
        raise DatasetError(
            f"the detector found faces in {visits.sum()} of {len(truth)} clips; use more clips"
        )
    labels = truth.argmax(axis=1)[visits]
    weights = {name: weigh(seen) for name, weigh in WEIGHTS.items()}
    pools: dict[Way, NDArray[np.float32]] = {
        (scale, name): pool_probabilities(found, weight, seen.clips, len(truth), scale)[visits]
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


def pool_probabilities(
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


def _load_pictures(data: Path, cache: Path, faces: int) -> dict[str, _Pictures]:
    """The validation pictures, drawn at random, from which the clips of each head are made.

    Raises DatasetError for faces without FER+ votes, which are the truth.
    """
    public = load_fer2013(data, cache).part("PublicTest")
    if not public.votes.any():
        raise DatasetError(f"{data}: no FER+ votes; pooling needs fer2013/fer2013.csv and fer2013new.csv")
    clear = datasets.has_enough_votes(public.votes) & datasets.ferplus_argmax(public.votes)[0]
    public = public.rows(_draw_rows(clear, faces))
    people = load_fairface(data, cache, "train")
    people = people.rows(_draw_rows(people.held_out(), faces))
    votes = datasets.expression_targets(public.votes)
    genders = one_hot(people.genders, len(datasets.GENDERS))
    return {
        "expression": _Pictures(public.images, whole_squares(len(public.images)), votes),
        "gender": _Pictures(people.images, squares(people.boxes), genders),
    }


def _draw_rows(rows: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(SEED).permutation(np.flatnonzero(rows))[:count])
