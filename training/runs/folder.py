"""The folder of one training run: configuration, environment, history, curves, checkpoint, model."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from training.classifier.recipes import Config
from training.errors import RunError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CONFIG_FILE = "config.json"
ENVIRONMENT_FILE = "environment.json"
HISTORY_FILE = "history.csv"
CHECKPOINT = "checkpoint.weights.h5"
MODEL_FILE = "model.h5"
ONNX_FILES = {"float32": "model.onnx", "int8": "model.int8.onnx"}
"""The exported files by the precision of their weights."""
PARTS = ("validation", "test")
"""What each of them is measured on; see `training.classifier.validation`."""
CURVES_FILE = "curves.png"

PACKAGES = (
    "keras",
    "tensorflow-cpu",
    "jax",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "tf2onnx",
    "onnxruntime",
)
"""What a result depends on; a machine with an accelerator has other ones than this project's own lists."""

Row = dict[str, float]


def open_run(run: Path, config: DataclassInstance, resume: bool) -> list[Row]:
    """Make or reopen a run folder; the epochs that it has behind it.

    Raises RunError for a folder that holds another run, unless `resume` is set, and for a run to
    be resumed with another configuration.
    """
    path, wanted = run / CONFIG_FILE, as_stored(config)
    if not path.exists():
        run.mkdir(parents=True, exist_ok=True)
        write_json(path, wanted)
        write_json(run / ENVIRONMENT_FILE, environment())
        return []
    if not resume:
        raise RunError(f"{run} holds a run already; pass --resume to go on with it")
    before = read_stored_config(run)
    if before != wanted:
        raise RunError(f"{path} has {before}, asked for {wanted}; resume with the same options")
    return read_history(run) if (run / CHECKPOINT).exists() else []


def as_stored(config: DataclassInstance) -> dict[str, Any]:
    """A configuration as it comes back from JSON: with lists for tuples."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return values


def read_config(run: Path) -> Config:
    """The configuration of a classifier's run; raises RunError where there is none."""
    try:
        values = read_stored_config(run)
        return Config(**values | {"teachers": tuple(values.get("teachers", ()))})
    except TypeError as error:
        raise RunError(f"{run} is not a classifier's training run: {error}") from error


def read_stored_config(run: Path) -> dict[str, Any]:
    """A run's configuration as it was written; raises RunError where there is none."""
    try:
        values: dict[str, Any] = json.loads((run / CONFIG_FILE).read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{run} is not a training run: {error}") from error
    return values


def metrics_file(precision: str, part: str) -> str:
    """The name of the figures of one exported file on one part."""
    return f"{precision}-{part}.json"


def environment() -> dict[str, str]:
    """Versions of what a result depends on, as far as it is installed, and what Keras computes with."""
    found = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "backend": keras.backend.backend(),
    }
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def read_backend(run: Path) -> str:
    """What Keras computed with in a run; runs that do not say computed with TensorFlow."""
    path = run / ENVIRONMENT_FILE
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found.get("backend", "tensorflow")


def read_history(run: Path) -> list[Row]:
    """One row per epoch."""
    with (run / HISTORY_FILE).open(newline="") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def spent(history: Sequence[Row]) -> float:
    """The seconds that all its epochs took."""
    return sum(row["seconds"] for row in history)


def write_history(run: Path, history: list[Row]) -> None:
    """Replace the history of a run."""
    with (run / HISTORY_FILE).open("w", newline="") as stream:
        writer = csv.DictWriter(stream, history[-1].keys())
        writer.writeheader()
        writer.writerows(history)


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(content, indent=2) + "\n")
