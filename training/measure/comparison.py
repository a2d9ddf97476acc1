"""Training and measurement of the systems of the comparison, each in its own run folder.

The run folder stores the figures as `figures.json`; `merge_figures` adds them to the stored figures of all
systems, so that the tables can be made again without the runs.
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
from training.classifier.recipes import Config, read_config
from training.classifier.train import fit
from training.classifier.validation import (
    PARTS,
    EvaluationSet,
    Logits,
    Outputs,
    compute_outputs,
    keras_logits,
    load_evaluation_set,
    load_keras,
)
from training.data import datasets
from training.data.importers import load_fairface, load_fer2013
from training.measure.costs import costs
from training.measure.systems import REMEDIES, SYSTEMS, System, gender_passes
from training.runs.publishing import FIGURES
from training.runs.run_folder import MODEL_FILE, ONNX_FILES, read_history, spent, write_json

FIGURES_FILE = "figures.json"
FIGURES_PATH = FIGURES / "comparison.json"
"""The stored figures of all systems, by name."""

FRAME_BASELINE = "paper_cnn"
"""The single-frame network that is compared with the networks of clips."""

SystemFigures = dict[str, Any]


def train_and_measure(
    systems: list[System],
    runs: Path,
    data: Path,
    cache: Path,
    passes: int,
    report: Callable[[str], None],
) -> None:
    """Train and measure the systems without figures; interrupted runs resume.

    `report` gets a line per system. Raises RunError for a run with another configuration, DatasetError for
    the data.
    """
    for number, system in enumerate(systems, start=1):
        run = runs / system.name
        if (run / FIGURES_FILE).exists():
            continue
        report(f"{number}/{len(systems)} {system.name}: {system.what}")
        if not (run / MODEL_FILE).exists():
            fit(system.config(runs, passes), data, run, cache, resume=True)
        write_json(run / FIGURES_FILE, measure_system(system, run, data, cache))


def measure_system(system: System, run: Path, data: Path, cache: Path) -> SystemFigures:
    """Measure a trained system: figures on both parts, costs and learning curves, ready for JSON."""
    model, network = load_keras(run / MODEL_FILE), architecture(system.arch)
    logits, heads = keras_logits(model), model.output_names
    parts = {
        part: load_evaluation_set(part, data, cache, network.size, network.frames, heads) for part in PARTS
    }
    target, validation = run / ONNX_FILES["float32"], parts["validation"]
    crops = np.concatenate([validation.face_crops[:64], validation.person_crops[:64]])
    export(model, {"name": system.name, "run": run.name}, target, crops)
    history = read_history(run)
    return {
        "passes": len(history),
        "gender_passes": round(_gender_passes(read_config(run), data, cache), 1),
        "minutes": round(spent(history) / 60, 1),
        "parts": {part: _figures(compute_outputs(logits, seen, heads), seen) for part, seen in parts.items()},
        "costs": costs(target),
        "curves": {
            name: [row[name] for row in history]
            for head in heads
            for name in (f"{head}_accuracy", f"val_{head}_accuracy")
        },
        **({"on_clips": _on_clips(logits, data, cache)} if system.name == FRAME_BASELINE else {}),
    }


def merge_figures(runs: Path, stored: Path = FIGURES_PATH) -> dict[str, SystemFigures]:
    """The stored figures by system, updated by those of the runs."""
    found: dict[str, SystemFigures] = json.loads(stored.read_text()) if stored.exists() else {}
    for system in (*SYSTEMS, *REMEDIES):
        path = runs / system.name / FIGURES_FILE
        if path.exists():
            found[system.name] = json.loads(path.read_text())
    return found


def mean_of_frames(logits: Logits) -> Logits:
    """Apply a single-frame network to clips (n, frames, size, size): logits of its mean probabilities."""

    def of_clips(clips: NDArray[np.uint8]) -> Outputs:
        n, frames = clips.shape[:2]
        found = logits(clips.reshape(n * frames, *clips.shape[2:]))
        return {
            head: np.log(softmax(rows, 1.0).reshape(n, frames, -1).mean(axis=1))
            for head, rows in found.items()
        }

    return of_clips


def first_frame(logits: Logits) -> Logits:
    """Apply a single-frame network to the first frame of each clip."""
    return lambda clips: logits(clips[:, 0])


def _gender_passes(config: Config, data: Path, cache: Path) -> float:
    if config.task != "both":
        return gender_passes(config)
    faces = datasets.untested_faces(load_fer2013(data, cache))
    people = (load_fairface(data, cache, split) for split in ("train", "val"))
    return gender_passes(config, len(faces.images), len(datasets.untested_people(*people).images))


def _on_clips(logits: Logits, data: Path, cache: Path) -> Mapping[str, Any]:
    size = architecture(FRAME_BASELINE).size
    parts = {part: load_evaluation_set(part, data, cache, size, FRAMES) for part in PARTS}
    ways = {"mean_of_3": mean_of_frames(logits), "one_frame": first_frame(logits)}
    return {
        name: {part: _figures(compute_outputs(way, seen), seen) for part, seen in parts.items()}
        for name, way in ways.items()
    }


def _figures(found: Outputs, pictures: EvaluationSet) -> Mapping[str, Any]:
    shares = {name: asdict(share) for name, share in headline(found, pictures).items()}
    by_set = by_data_set(found, pictures)
    f1s = {name: by_set[name]["macro_f1"] for name in ("fer2013", "ferplus") if name in by_set}
    return {"headline": shares, "macro_f1": f1s}
