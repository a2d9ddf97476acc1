"""Ablations: what single choices of the detector's training change, on the validation photographs.

Short runs from scratch with the same samples: each differs from the first one in what its row says. The test
photographs are not opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from inference.detector import LONGEST_SIDE, Detector
from inference.model_file import shipped
from training.detector.evaluate import (
    FALSE_PER_1000,
    RESAMPLES,
    STANDARD_SIDE,
    TIMED,
    Photographs,
    count_weights,
    curve,
    latencies,
    look,
    recall_by_size,
)
from training.detector.judging import Outcome, average_precision, judge, recall, score_for
from training.detector.scenes import Scene, load_groceries, load_scenes
from training.detector.train import DetectorConfig, read_config, samples_seen
from training.errors import RunError
from training.runs.run_folder import ONNX_FILES, as_stored, read_history, spent

FILE = ONNX_FILES["int8"]
"""The file that is measured: the one that ships."""
SIDES = {"compared": STANDARD_SIDE, "running": LONGEST_SIDE}
LIMITS = ("samples", "minutes")
"""Fields of a configuration that decide how long a run is, not how it trains."""

Figure = Callable[[Sequence[Outcome], Sequence[Outcome]], float]
"""A figure of the outcomes of scenes and of photographs of goods."""


def _recall_at(scenes: Sequence[Outcome], goods: Sequence[Outcome], allowed: int) -> float:
    return recall(scenes, score_for(goods, allowed))


COMPARED: Mapping[str, Figure] = {
    "average_precision": lambda scenes, _: average_precision(scenes),
    **{f"recall_at_{allowed}": partial(_recall_at, allowed=allowed) for allowed in FALSE_PER_1000},
}
"""The figures whose differences from the first run are measured."""


def compare_runs(runs: Sequence[Path], data: Path, calls: int = 100) -> dict[str, Any]:
    """The figures of exported runs, with their differences from the first one.

    `calls` of each detector are timed. Raises DatasetError, or RunError for a folder without an exported run
    and for runs of different length.
    """
    _check_runs(runs)
    scenes, goods = load_scenes(data, "validation"), load_groceries(data, "validation")
    found = [_look(run / FILE, scenes, goods) for run in track(runs, "runs", transient=True)]
    times = _times([shipped("detector"), *(run / FILE for run in runs)], goods[0], calls)
    return {
        "part": "validation",
        "scenes": len(scenes),
        "goods": len(goods),
        "samples": samples_seen(runs[0]),
        "shipped_milliseconds": times[0],
        "runs": [
            _describe(run, DetectorConfig() if run == runs[0] else read_config(runs[0]))
            | {"milliseconds": milliseconds}
            | {side: _figures(here[side], found[0][side]) for side in SIDES}
            | {
                "recall_by_size": recall_by_size(
                    here["running"].scenes, Detector(run / FILE, own=True).levels.face
                )
            }
            for run, here, milliseconds in zip(runs, found, times[1:], strict=True)
        ],
    }


def difference(figure: Figure, one: Photographs, other: Photographs) -> dict[str, float]:
    """By how much a figure of `one` exceeds that of `other`, with its 95 % interval.

    A percentile bootstrap over pairs: both were measured on the same photographs, and each draw takes the
    same photographs of both.
    """
    judged = [([judge(each) for each in part] for part in found) for found in (one, other)]
    (scenes, goods), (scenes_0, goods_0) = judged
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        at = rng.integers(0, len(scenes), len(scenes))
        at_goods = rng.integers(0, len(goods), len(goods))
        mine = figure([scenes[index] for index in at], [goods[index] for index in at_goods])
        theirs = figure([scenes_0[index] for index in at], [goods_0[index] for index in at_goods])
        drawn.append(mine - theirs)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    value = figure(scenes, goods) - figure(scenes_0, goods_0)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def _check_runs(runs: Sequence[Path]) -> None:
    for run in runs:
        if not (run / FILE).is_file():
            raise RunError(f"{run}: has no {FILE} yet; run `mien train detector export {run}` first")
        seen, wanted = samples_seen(run), samples_seen(runs[0])
        if seen != wanted:
            raise RunError(f"{run} saw {seen:,} samples, {runs[0]} {wanted:,}; compare runs of one length")


def _look(path: Path, scenes: list[Scene], goods: list[Scene]) -> dict[str, Photographs]:
    return {
        name: look(Detector(path, own=True, longest_side=side), scenes, goods) for name, side in SIDES.items()
    }


def _figures(found: Photographs, first: Photographs) -> dict[str, Any]:
    if found is first:
        return curve(found)
    return curve(found) | {
        "differences": {name: difference(figure, found, first) for name, figure in COMPARED.items()}
    }


def _describe(run: Path, other: DetectorConfig) -> dict[str, Any]:
    """What a run changes against another configuration, and what it costs apart from time per picture."""
    mine, theirs = as_stored(read_config(run)), as_stored(other)
    return {
        "run": run.name,
        "changed": {
            name: value for name, value in mine.items() if value != theirs[name] and name not in LIMITS
        },
        "minutes": round(spent(read_history(run)) / 60, 1),
        "weights": count_weights(run / FILE),
        "bytes": (run / FILE).stat().st_size,
    }


def _times(paths: Sequence[Path], scene: Scene, calls: int) -> list[dict[str, float]]:
    """Milliseconds of each detector by size of the picture, all in turn."""
    found: list[dict[str, float]] = [{} for _ in paths]
    for width, height in TIMED:
        for times, milliseconds in zip(found, latencies(paths, scene, width, height, calls), strict=True):
            times[f"{width}x{height}"] = milliseconds
    return found
