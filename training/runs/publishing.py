"""Publishing: from a run folder to the files that ship (ONNX files, figures, model card, checksums)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.model_file import MODELS, write_checksums
from training.errors import RunError
from training.runs.run_folder import ONNX_FILES, PARTS, metrics_file, write_json

FIGURES = Path("docs/figures")
"""Folder of the generated figures that the documentation shows, as JSON files."""


def read_metrics(run: Path) -> dict[str, dict[str, Any]]:
    """The figures of each exported file, by precision and part.

    Raises RunError unless the run was exported and these files were evaluated on both parts.
    """
    return {precision: _read_parts(run, precision) for precision in ONNX_FILES}


def ship(run: Path, metrics: Mapping[str, Any], card: str, name: str, models: Path) -> Path:
    """Copy the files of the precisions in `metrics` into `models` under `name`; returns the card's path.

    The figures go to FIGURES if `models` is the runtime's folder, otherwise into `models` too.
    """
    for precision, source in ONNX_FILES.items():
        target = models / source.replace("model", name)
        target.unlink(missing_ok=True)
        if precision in metrics:
            shutil.copyfile(run / source, target)
    write_json((FIGURES if models == MODELS else models) / f"{name}.json", metrics)
    write_checksums(models)
    target = models / f"{name}.md"
    target.write_text(card)
    return target


def _read_parts(run: Path, precision: str) -> dict[str, Any]:
    """The figures of one exported file by part."""
    onnx, found = run / ONNX_FILES[precision], {}
    for part in PARTS:
        figures = run / metrics_file(precision, part)
        if not onnx.is_file() or not figures.is_file():
            raise RunError(f"{onnx} or {figures.name} is missing; export and evaluate the run first")
        if figures.stat().st_mtime < onnx.stat().st_mtime:
            raise RunError(f"{figures} is older than {onnx.name}; evaluate it again")
        found[part] = json.loads(figures.read_text())
    return found
