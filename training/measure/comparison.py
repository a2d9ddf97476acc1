"""Train and measure every system of the comparison, each in a run folder of its own.

What was measured is `figures.json` there; `gathered` puts them over those that were kept before, so that
the table can be made anew without any run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.classifier import softmax
from training.classifier.architectures import architecture
from training.classifier.architectures.paper import FRAMES
from training.classifier.evaluate import by_data_set, headline
from training.classifier.export import export
from training.classifier.train import fit
from training.classifier.validation import (
    PARTS,
    Logits,
    Outputs,
    Pictures,
    keras_logits,
    load_keras,
    load_pictures,
    outputs,
)
from training.measure.costs import costs
from training.measure.systems import REMEDIES, SYSTEMS, System
from training.runs.folder import MODEL_FILE, ONNX_FILES, read_history, spent, write_json

FIGURES_FILE = "figures.json"
KEPT = Path("docs/comparison.json")
"""The figures of all systems, by name."""

STILL = "paper_cnn"
"""The network whose answers about the frames of a clip are compared with those of networks that see clips."""

Measured = dict[str, Any]


def compare(
    systems: list[System],
    runs: Path,
    data: Path,
    cache: Path,
    passes: int,
    say: Callable[[str], None],
) -> None:
    """Train and measure what is not measured yet; what was cut off goes on.

    Raises RunError for a run of another configuration, DatasetError for the data.
    """
    for number, system in enumerate(systems, start=1):
        run = runs / system.name
        if (run / FIGURES_FILE).exists():
            continue
        say(f"{number}/{len(systems)} {system.name}: {system.what}")
        if not (run / MODEL_FILE).exists():
            fit(system.config(runs, passes), data, run, cache, resume=True)
        write_json(run / FIGURES_FILE, measured(system, run, data, cache))


def measured(system: System, run: Path, data: Path, cache: Path) -> Measured:
    """The figures of a trained system on both parts, its costs and its curves, ready for JSON."""
    model, network = load_keras(run / MODEL_FILE), architecture(system.arch)
    logits, heads = keras_logits(model), model.output_names
    parts = {part: load_pictures(part, data, cache, network.size, network.frames, heads) for part in PARTS}
    target, known = run / ONNX_FILES["float32"], parts["validation"]
    some = np.concatenate([known.face_crops[:64], known.person_crops[:64]])
    export(model, {"name": system.name, "run": run.name}, target, some)
    history = read_history(run)
    return {
        "passes": len(history),
        "minutes": round(spent(history) / 60, 1),
        "parts": {part: _figures(outputs(logits, seen, heads), seen) for part, seen in parts.items()},
        "costs": costs(target),
        "curves": {
            name: [row[name] for row in history]
            for head in heads
            for name in (f"{head}_accuracy", f"val_{head}_accuracy")
        },
        **({"on_clips": _on_clips(logits, data, cache)} if system.name == STILL else {}),
    }


def gathered(runs: Path, kept: Path = KEPT) -> dict[str, Measured]:
    """All figures that there are by name of the system: those kept, and over them those of the runs."""
    found: dict[str, Measured] = json.loads(kept.read_text()) if kept.exists() else {}
    for system in (*SYSTEMS, *REMEDIES):
        path = runs / system.name / FIGURES_FILE
        if path.exists():
            found[system.name] = json.loads(path.read_text())
    return found


def mean_of_frames(logits: Logits) -> Logits:
    """A network for pictures as one for clips (n, frames, size, size): the mean of its answers, as logits."""

    def of_clips(clips: NDArray[np.uint8]) -> Outputs:
        n, frames = clips.shape[:2]
        found = logits(clips.reshape(n * frames, *clips.shape[2:]))
        return {
            head: np.log(softmax(rows, 1.0).reshape(n, frames, -1).mean(axis=1))
            for head, rows in found.items()
        }

    return of_clips


def first_frame(logits: Logits) -> Logits:
    """A network for pictures as one for clips, of which it sees the first frame alone."""
    return lambda clips: logits(clips[:, 0])


def _on_clips(logits: Logits, data: Path, cache: Path) -> Mapping[str, Any]:
    size = architecture(STILL).size
    parts = {part: load_pictures(part, data, cache, size, FRAMES) for part in PARTS}
    ways = {"mean_of_3": mean_of_frames(logits), "one_frame": first_frame(logits)}
    return {
        name: {part: _figures(outputs(way, seen), seen) for part, seen in parts.items()}
        for name, way in ways.items()
    }


def _figures(found: Outputs, pictures: Pictures) -> Mapping[str, Any]:
    shares = {name: asdict(share) for name, share in headline(found, pictures).items()}
    by_set = by_data_set(found, pictures)
    f1s = {name: by_set[name]["macro_f1"] for name in ("fer2013", "ferplus") if name in by_set}
    return {"headline": shares, "macro_f1": f1s}
