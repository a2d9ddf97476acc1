"""From a run folder to the files that ship: ONNX files, their figures, model card and checksums."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inference.model_file import write_checksums
from training.errors import RunError
from training.runs.folder import ONNX_FILES, PARTS, metrics_file, write_json


def read_metrics(run: Path) -> dict[str, dict[str, Any]]:
    """The figures of each exported file, by precision and part.

    Raises RunError unless the run was exported and those very files evaluated on both parts.
    """
    return {precision: _evaluated(run, precision) for precision in ONNX_FILES}


def ship(run: Path, metrics: Mapping[str, Any], card: str, name: str, models: Path) -> Path:
    """Put the files of the precisions in `metrics` beside the runtime under `name`; returns the card."""
    for precision, source in ONNX_FILES.items():
        target = models / source.replace("model", name)
        target.unlink(missing_ok=True)
        if precision in metrics:
            shutil.copyfile(run / source, target)
    write_json(models / f"{name}.json", metrics)
    write_checksums(models)
    target = models / f"{name}.md"
    target.write_text(card)
    return target


def _evaluated(run: Path, precision: str) -> dict[str, Any]:
    """One exported file's figures by part."""
    onnx, found = run / ONNX_FILES[precision], {}
    for part in PARTS:
        figures = run / metrics_file(precision, part)
        if not onnx.is_file() or not figures.is_file():
            raise RunError(f"{onnx} or {figures.name} is missing; export and evaluate the run first")
        if figures.stat().st_mtime < onnx.stat().st_mtime:
            raise RunError(f"{figures} is older than {onnx.name}; evaluate it again")
        found[part] = json.loads(figures.read_text())
    return found
