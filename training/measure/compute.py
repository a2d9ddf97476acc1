"""Gain from longer training: validation figures of complete runs of different length.

Only the ends of runs are comparable, because the learning rate is annealed over the length of each run.
Training time depends on the machine; the number of passes over the training faces does not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.classifier.recipes import TASKS, read_config
from training.errors import ReportError, RunError
from training.runs.publishing import FIGURES
from training.runs.run_folder import read_backend, read_history, spent

FIGURES_PATH = FIGURES / "compute.json"

HEADS = {"fer2013": "FER2013 labels", "expression": "FER+ votes", "gender": "perceived gender"}


RunFigures = Mapping[str, Any]


def merge_runs(runs: Sequence[Path], path: Path = FIGURES_PATH) -> list[RunFigures]:
    """The stored runs, updated by the given ones, the shortest first: passes, minutes, teachers, accuracies.

    A run replaces a stored run of the same name. Raises RunError for a folder without a run, or a run that
    lacks one of the heads.
    """
    stored = read_runs(path) if path.exists() else []
    found = {run["run"]: run for run in (*stored, *map(_run_figures, runs))}
    return sorted(found.values(), key=lambda run: int(run["passes"]))


def read_runs(path: Path = FIGURES_PATH) -> list[RunFigures]:
    """The stored runs; raises ReportError if there are none."""
    if not path.exists():
        raise ReportError(f"{path}: no runs yet; run mien train compute RUN ...")
    found: list[RunFigures] = json.loads(path.read_text())
    return found


def _run_figures(run: Path) -> RunFigures:
    config, history = read_config(run), read_history(run)
    if set(config.heads) != set(TASKS["both"]):
        raise RunError(f"{run} was trained for {config.task}; runs for both are compared")
    return {
        "run": run.name,
        "network": config.arch,
        "passes": len(history),
        "minutes": round(spent(history) / 60, 1),
        "backend": read_backend(run),
        "teachers": len(config.teachers),
        "accuracy": {head: [row[f"val_{head}_accuracy"] for row in history] for head in HEADS},
    }
