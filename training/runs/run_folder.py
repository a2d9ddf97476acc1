"""The folder of one training run: configuration, environment, history, curves, checkpoint, model."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from training.errors import RunError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

CONFIG_FILE = "config.json"
ENVIRONMENT_FILE = "environment.json"
HISTORY_FILE = "history.csv"
CHECKPOINT = "checkpoint.weights.h5"
MODEL_FILE = "model.h5"
ONNX_FILES = {"float32": "model.onnx", "int8": "model.int8.onnx"}
"""The exported files by precision."""
PARTS = ("validation", "test")
"""The parts of the data on which files are evaluated: the validation split and the test split."""
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
"""Packages whose versions are stored; on a machine with an accelerator they may differ from ours."""

Row = dict[str, float]


def create_run(run: Path, config: DataclassInstance) -> None:
    """Write the configuration and the environment of a run into its folder, unless it has them."""
    if not (run / CONFIG_FILE).exists():
        write_json(run / ENVIRONMENT_FILE, environment())
        write_json(run / CONFIG_FILE, as_stored(config))


def completed_epochs(run: Path, config: DataclassInstance, resume: bool) -> list[Row]:
    """The history of the epochs that a run folder has completed; writes nothing.

    Raises RunError if the folder holds a run and `resume` is not set, or if its configuration differs.
    """
    path, wanted = run / CONFIG_FILE, as_stored(config)
    if not path.exists():
        return []
    if not resume:
        raise RunError(f"{run} holds a run already; pass --resume to continue it")
    before = _defaults(config) | read_stored_config(run)
    if before != wanted:
        raise RunError(f"{path} has {before}, asked for {wanted}; resume with the same options")
    complete = (run / CHECKPOINT).exists() and (run / HISTORY_FILE).exists()
    return read_history(run) if complete else []


def _defaults(config: DataclassInstance) -> dict[str, Any]:
    """The options that have a default, as JSON stores it: a run that was stored before an option existed did
    what is now the option's default.
    """
    values: dict[str, Any] = json.loads(
        json.dumps({each.name: each.default for each in fields(config) if each.default is not MISSING})
    )
    return values


def as_stored(config: DataclassInstance) -> dict[str, Any]:
    """A configuration as JSON stores it: with lists for tuples."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return values


def read_stored_config(run: Path) -> dict[str, Any]:
    """A run's stored configuration; raises RunError if there is none."""
    try:
        values: dict[str, Any] = json.loads((run / CONFIG_FILE).read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{run} is not a training run: {error}") from error
    return values


def metrics_file(precision: str, part: str) -> str:
    """The name of the file with the figures of one exported file on one part."""
    return f"{precision}-{part}.json"


def environment() -> dict[str, str]:
    """Versions of the installed packages that a result depends on, and the Keras backend."""
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
    """The Keras backend of a run; TensorFlow if it is not stored."""
    path = run / ENVIRONMENT_FILE
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found.get("backend", "tensorflow")


def read_history(run: Path) -> list[Row]:
    """One row per epoch; a value that the run did not store yet at that time is missing."""
    with (run / HISTORY_FILE).open(newline="") as stream:
        return [
            {name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)
        ]


def spent(history: Sequence[Row]) -> float:
    """The total time of all epochs, in seconds."""
    return sum(row["seconds"] for row in history)


def steps_done(history: Sequence[Row], full: int) -> int:
    """The steps of all epochs; one that does not store its steps had all `full` steps of an epoch."""
    return int(sum(row.get("steps", full) for row in history))


def write_history(run: Path, history: list[Row]) -> None:
    """Replace the history of a run."""
    with (
        replacing(run / HISTORY_FILE) as partial,
        partial.open("w", newline="") as stream,
    ):
        writer = csv.DictWriter(stream, history[-1].keys())
        writer.writeheader()
        writer.writerows(history)


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON; creates the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Another name to write a file under; then it replaces `path`: an interruption leaves no part of it."""
    partial = path.with_name(f"partial.{path.name}")
    yield partial
    partial.replace(path)
