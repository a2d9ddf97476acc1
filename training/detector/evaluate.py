"""What a detector finds and what it costs, measured through `inference.detector` itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnx
from rich.progress import track

from inference.detector import LONGEST_SIDE, Detector
from training.detector.groups import Members, groups
from training.detector.judging import (
    SMALLEST,
    Detected,
    FaceDetector,
    Outcome,
    average_precision,
    detect,
    faces,
    false_per_1000,
    judge,
    recall,
    score_for,
)
from training.detector.scenes import KINDS, Part, Scene, face_sources, load_groceries, load_scenes
from training.detector.teacher import Teacher
from training.measure.statistics import share

STANDARD_SIDE = 320
"""Longest side at which detectors are compared: small pictures, hence small faces."""
FALSE_PER_1000 = (1, 10, 100)
SIZES = (8, 16, 24, 40, 80, 400)
"""Bounds of the classes of face size, in pixels as the network sees them."""
TIMED = ((320, 192), (640, 384), (640, 480))
RESAMPLES = 300


class Photographs(NamedTuple):
    """What was found in scenes with faces and in photographs of goods, without."""

    scenes: list[Detected]
    goods: list[Detected]


def evaluate(model: Path, data: Path, part: Part) -> dict[str, Any]:
    """All figures of an ONNX detector on one part of the photographs.

    Raises DatasetError, or ModelError for a file that is no detector.
    """
    small, running = Detector(model, own=True, longest_side=STANDARD_SIDE), Detector(model, own=True)
    scenes, goods = load_scenes(data, part), load_groceries(data, part)
    return {
        "part": part,
        "scenes": len(scenes),
        "goods": len(goods),
        "compared": {"longest_side": STANDARD_SIDE} | curve(look(small, scenes, goods)),
        "running": {"longest_side": LONGEST_SIDE}
        | _running(running, look(running, scenes, goods), face_sources(data)),
        "costs": _costs(model, goods[0]),
    }


def evaluate_teacher(model: Path, data: Path, part: Part) -> dict[str, Any]:
    """How much of the marked faces the teacher finds, by the protocol of `evaluate`: a limit for its student.

    Raises DatasetError, or RunError for a file that is not the teacher.
    """
    scenes, goods = load_scenes(data, part), load_groceries(data, part)
    sides = {"compared": STANDARD_SIDE, "running": LONGEST_SIDE}
    return {"part": part, "scenes": len(scenes), "goods": len(goods)} | {
        name: {"longest_side": side} | curve(look(Teacher(model, longest_side=side), scenes, goods))
        for name, side in sides.items()
    }


def look(detector: FaceDetector, scenes: list[Scene], goods: list[Scene]) -> Photographs:
    """Everything that a detector finds, however weak."""
    found = [detect(detector, scene) for scene in track(scenes + goods, "photographs", transient=True)]
    return Photographs(found[: len(scenes)], found[len(scenes) :])


def curve(found: Photographs) -> dict[str, Any]:
    """Average precision and recall at given numbers of false faces, with their intervals.

    The interval of a recall means nothing where fewer than `judging.LEAST_ALLOWED` false faces are allowed.
    """
    scenes, goods = [judge(each) for each in found.scenes], [judge(each) for each in found.goods]

    def recall_at(allowed: int) -> dict[str, float]:
        return interval(lambda some, others: recall(some, score_for(others, allowed)), scenes, goods)

    return {
        "faces": faces(scenes),
        "average_precision": interval(lambda some, _: average_precision(some), scenes, goods),
        "recall_at_false_per_1000_goods": {str(allowed): recall_at(allowed) for allowed in FALSE_PER_1000},
    }


def _running(detector: Detector, found: Photographs, sources: Mapping[str, list[str]]) -> dict[str, Any]:
    scenes, goods = [judge(each) for each in found.scenes], [judge(each) for each in found.goods]

    def level(score: float) -> dict[str, Any]:
        return {
            "score": score,
            "recall": interval(lambda some, _: recall(some, score), scenes, goods),
            "false_per_1000_scenes": round(false_per_1000(scenes, score), 1),
            "false_per_1000_goods": round(false_per_1000(goods, score), 1),
            "goods_with_a_false_face": asdict(
                share(np.array([bool((each.wrong >= score).any()) for each in goods]))
            ),
        }

    return curve(found) | {
        "recall_by_group": {
            name: recall_among(found.scenes, detector.levels.face, members=members)
            for name, members in groups(KINDS, sources).items()
        },
        "levels": {name: level(score) for name, score in asdict(detector.levels).items()},
        "recall_by_size": recall_by_size(found.scenes, detector.levels.face),
    }


def recall_by_size(scenes: Sequence[Detected], score: float) -> dict[str, Any]:
    """The share of the faces of each class of size that reach `score`."""
    return {f"{low}-{high}": recall_among(scenes, score, low, high) for low, high in pairwise(SIZES)}


def recall_among(
    scenes: Sequence[Detected],
    score: float,
    low: float = SMALLEST,
    high: float = np.inf,
    members: Members | None = None,
) -> dict[str, Any]:
    """The share of the faces of `members` with a size from `low` to below `high` that reach `score`."""
    outcomes = [judge(each, low, high, members and members(each.scene)) for each in scenes]
    hits = sum(int((each.right >= score).sum()) for each in outcomes)
    return asdict(share(np.arange(faces(outcomes)) < hits)) if faces(outcomes) else {"n": 0}


def interval(
    figure: Callable[[Sequence[Outcome], Sequence[Outcome]], float],
    scenes: Sequence[Outcome],
    goods: Sequence[Outcome],
) -> dict[str, float]:
    """A figure with its 95 % interval, by a percentile bootstrap over the photographs."""
    rng = np.random.default_rng(0)
    drawn = [
        figure(
            [scenes[index] for index in rng.integers(0, len(scenes), len(scenes))],
            [goods[index] for index in rng.integers(0, len(goods), len(goods))],
        )
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return {"value": round(figure(scenes, goods), 4), "low": round(low, 4), "high": round(high, 4)}


def _costs(path: Path, scene: Scene) -> dict[str, Any]:
    return {
        "weights": count_weights(path),
        "bytes": path.stat().st_size,
        "milliseconds": {f"{width}x{height}": latency(path, scene, width, height) for width, height in TIMED},
    }


def count_weights(path: Path) -> int:
    """How many weights the convolutions of an ONNX file have."""
    kernels = [each.dims for each in onnx.load(path).graph.initializer if len(each.dims) == 4]
    return sum(int(np.prod(dims)) for dims in kernels)


def latency(path: Path, scene: Scene, width: int, height: int, repeats: int = 100) -> float:
    """Milliseconds of processor time of one call; see `latencies`."""
    return latencies([path], scene, width, height, repeats)[0]


def latencies(
    paths: Sequence[Path], scene: Scene, width: int, height: int, repeats: int = 100
) -> list[float]:
    """Milliseconds of processor time of one call of each detector on one thread; the detectors take turns.

    A call gives all that a tracker wants. The picture is the scene in that size. The thread's own clock
    counts, and the quickest of all calls, so that other work on the machine matters little.
    """
    detectors = [Detector(path, own=True, longest_side=max(width, height)) for path in paths]
    picture = np.asarray(cv2.resize(scene.pixels, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    times = np.empty((repeats, len(paths)))
    for row in times:
        for column, detector in enumerate(detectors):
            start = time.thread_time()
            detector.detect(picture, detector.levels.weak)
            row[column] = time.thread_time() - start
    return [round(1000 * each, 2) for each in times.min(axis=0).tolist()]
