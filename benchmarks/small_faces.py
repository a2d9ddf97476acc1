"""Small faces in large pictures, found with and without tiles; prints a table.

Photographs of the validation part of the detector's data lie side by side in pictures of 3840 x 2160.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import render_table
from inference.analyser import FaceDetector
from inference.detector import Detector
from inference.thorough import ThoroughDetector
from training.detector.judging import overlap_matrix
from training.detector.scenes import Scene, load_groceries, load_scenes

WIDTH, HEIGHT = 3840, 2160
SIZES = ((8, 16), (16, 24), (24, 40), (40, 80), (80, 400))
_SHEETS = 5
_OVERLAP = 0.5

Placed = list[tuple[Scene, int, int]]
"""Photographs with their left and top in the sheet."""


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    data = Path(os.environ["MIEN_DATA"])
    detectors: dict[str, FaceDetector] = {"reduced": Detector(), "thorough": ThoroughDetector(Detector())}
    scenes = load_scenes(data, "validation")
    order = np.random.default_rng(0).permutation(len(scenes))
    found: dict[str, dict[tuple[int, int], list[bool]]] = {name: defaultdict(list) for name in detectors}
    seconds: dict[str, list[float]] = {name: [] for name in detectors}
    for number, (sheet, placed) in enumerate(lay_out([scenes[index] for index in order])):
        if number == _SHEETS:
            break
        for name, detector in detectors.items():
            began = time.process_time()
            boxes = detector.detect(sheet).boxes
            seconds[name].append(time.process_time() - began)
            _compare(placed, boxes, found[name])
    rows = [
        (
            f"{low} to {high}",
            len(found["reduced"][low, high]),
            *(f"{np.mean(each[low, high]):.1%}" for each in found.values()),
        )
        for low, high in SIZES
    ]
    print(render_table(("pixels", "faces", *detectors), rows))
    for name, detector in detectors.items():
        goods = load_groceries(data, "validation")
        false = sum(len(detector.detect(sheet)) for sheet, _ in lay_out(goods))
        print(
            f"{name}: {1000 * np.mean(seconds[name]):.0f} ms, {false} false faces in {len(goods)} photographs"
        )


def lay_out(scenes: Sequence[Scene]) -> Iterator[tuple[NDArray[np.uint8], Placed]]:
    """Sheets of photographs, in rows from left to right."""
    sheet, placed = np.full((HEIGHT, WIDTH), 127, np.uint8), Placed()
    left = top = row = 0
    for scene in scenes:
        height, width = scene.pixels.shape
        if left + width > WIDTH:
            left, top, row = 0, top + row, 0
        if top + height > HEIGHT:
            yield sheet, placed
            sheet, placed = np.full((HEIGHT, WIDTH), 127, np.uint8), Placed()
            left = top = row = 0
        sheet[top : top + height, left : left + width] = scene.pixels
        placed.append((scene, left, top))
        left, row = left + width, max(row, height)
    if placed:
        yield sheet, placed


def _compare(placed: Placed, boxes: NDArray[np.float32], found: dict[tuple[int, int], list[bool]]) -> None:
    """Note for each sure face whether a box overlaps it by half; doubtful marks are no faces."""
    for scene, left, top in placed:
        faces = scene.boxes[scene.sure] + np.asarray((left, top, 0, 0), np.float32)
        hit = overlap_matrix(faces, boxes).max(axis=1, initial=0.0) >= _OVERLAP
        for size, is_found in zip(np.sqrt(faces[:, 2] * faces[:, 3]).tolist(), hit.tolist(), strict=True):
            for low, high in SIZES:
                if low <= size < high:
                    found[low, high].append(is_found)


if __name__ == "__main__":
    main()
