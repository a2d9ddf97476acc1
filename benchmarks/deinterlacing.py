"""Interlaced pictures of walking people, made progressive in several ways: which reads best, at what cost.

`python -m benchmarks.deinterlacing` prints a table; MIEN_DATA names the data folder. Pairs of consecutive
frames of its clips are woven into one interlaced picture, and the faces found in it are compared with those
of the first frame alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from inference.annotation.picture import LabelledFace
from inference.offline.analyse_files import FaceAnalyser
from inference.offline.clips import Clip
from media.images import Gray
from mien.wiring.models import create_classifier, create_detector

_CLIPS = ("face-demographics-*", "head-pose-*", "store-aisle-*")


def _field_linear(picture: Gray) -> Gray:
    return np.asarray(cv2.resize(picture[::2], picture.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _field_doubled(picture: Gray) -> Gray:
    return np.repeat(picture[::2], 2, axis=0)[: len(picture)]


def _blend(picture: Gray) -> Gray:
    return np.asarray(cv2.filter2D(picture, -1, np.array([[0.25], [0.5], [0.25]])), np.uint8)


WAYS: dict[str, Callable[[Gray], Gray]] = {
    "both fields as they are": lambda picture: picture,
    "one field, interpolated": _field_linear,
    "one field, lines doubled": _field_doubled,
    "fields blended": _blend,
}


@dataclass(slots=True)
class Result:
    """Sums over all pictures: faces, faces with the labels of the progressive picture, scores, seconds."""

    pictures: int = 0
    faces: int = 0
    same: int = 0
    scores: float = 0.0
    seconds: float = 0.0


def measure(data: Path) -> dict[str, Result]:
    """Measure every way, and the progressive pictures, on all clips."""
    analyser = FaceAnalyser(create_classifier(), create_detector())
    results = {name: Result() for name in ("progressive", *WAYS)}
    for pattern in _CLIPS:
        for path in sorted((data / "videos").glob(f"{pattern}.mp4")):
            with Clip(path) as clip:
                grays = [frame.gray for frame in clip.frames()]
            for first, second in zip(grays[::2], grays[1::2], strict=False):
                _measure_pair(analyser, first, second, results)
    return results


def _measure_pair(analyser: FaceAnalyser, first: Gray, second: Gray, results: dict[str, Result]) -> None:
    woven = first.copy()
    woven[1::2] = second[1::2]
    expected = analyser.analyse(first)
    _add(results["progressive"], expected, expected, 0.0)
    for name, make_progressive in WAYS.items():
        began = time.process_time()
        picture = make_progressive(woven)
        seconds = time.process_time() - began
        _add(results[name], analyser.analyse(picture), expected, seconds)


def _add(
    result: Result, found: tuple[LabelledFace, ...], expected: tuple[LabelledFace, ...], seconds: float
) -> None:
    result.pictures += 1
    result.faces += len(found)
    result.scores += sum(face.score for face in found)
    result.seconds += seconds
    for face in expected:
        near = (each for each in found if _is_near(each, face))
        match = next(near, None)
        result.same += match is not None and _labels(match) == _labels(face)


def _is_near(one: LabelledFace, other: LabelledFace) -> bool:
    (x, y, width, height), (other_x, other_y, _, _) = other.box, one.box
    return abs(x - other_x) < width / 2 and abs(y - other_y) < height / 2


def _labels(face: LabelledFace) -> tuple[str, str]:
    return face.estimate.expression, face.estimate.gender


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    print("| way | faces | with the same labels | mean score | ms per picture |")
    print("|---|---:|---:|---:|---:|")
    for name, result in measure(Path(os.environ["MIEN_DATA"])).items():
        score = result.scores / max(result.faces, 1)
        cost = 1000 * result.seconds / max(result.pictures, 1)
        print(f"| {name} | {result.faces} | {result.same} | {score:.3f} | {cost:.3f} |")


if __name__ == "__main__":
    main()
