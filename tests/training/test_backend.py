"""The same training with JAX, in a process of its own: Keras takes one backend for good."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.processes import MIEN
from training.classifier.export import TOLERANCE, export_run
from training.runs.backend import TENSORFLOW
from training.runs.folder import ENVIRONMENT_FILE, environment, read_backend, read_history

SMALL = ("--arch", "paper_cnn", "--epochs", "2", "--expression-batch", "7", "--gender-batch", "8")


def fit(folder: Path, data: Path, cache: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`mien train fit` with JAX on the processor."""
    return subprocess.run(
        [MIEN, "train", "fit", *SMALL, *options, "--data", data, "--cache", cache, "--out", folder],
        env=os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_what_jax_trains_with_a_teacher_and_processes_tensorflow_exports(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    for run, options in (("teacher", ()), ("faces", ("--teacher", str(tmp_path / "teacher")))):
        done = fit(tmp_path / run, data, cache, "--workers", "2", *options)
        assert done.returncode == 0, done.stderr
    history = read_history(tmp_path / "faces")
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[-1]["loss"] != history[0]["loss"]
    assert read_backend(tmp_path / "faces") == "jax"
    assert "jax" in json.loads((tmp_path / "faces" / ENVIRONMENT_FILE).read_text())
    _, difference = export_run(tmp_path / "faces", data, cache, "1")
    assert difference <= TOLERANCE


def test_a_number_of_threads_is_refused_where_it_has_no_meaning(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    done = fit(tmp_path / "run", data, cache, "--threads", "2")
    assert done.returncode == 2
    assert "--threads 2: the backend jax takes no number of threads" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_says_what_it_was_made_with() -> None:
    found = environment()
    assert TENSORFLOW
    assert found["backend"] == "tensorflow"
    assert {"python", "keras", "tensorflow-cpu", "numpy", "opencv-python"} <= found.keys()
