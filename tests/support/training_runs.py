"""Tiny training runs for tests: their configuration, and Keras without traced functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest

from training.classifier.recipes import Config, recipe
from training.classifier.train import fit
from training.detector.train import DetectorConfig


def tiny(arch: str, **changes: object) -> Config:
    """One pass of an architecture's recipe over the synthetic data."""
    return replace(recipe(arch), epochs=1, expression_batch=7, gender_batch=8, **changes)


def tiny_detector(**changes: Any) -> DetectorConfig:
    """A detector of few weights on small pictures."""
    tiny = DetectorConfig(widths=(16, 16, 16, 16, 16), depth=1, size=192, minutes=None, precision="float32")
    return replace(tiny, **changes)


@contextmanager
def running_eagerly() -> Iterator[None]:
    """Keras calls its steps directly: tracing and compiling them takes most of the time of a tiny run.

    ONNX export still traces its graph.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "run_eagerly", property(lambda model: True, lambda model, value: None))
        yield


def fit_eagerly(config: Config, data: Path, run: Path, cache: Path) -> Path:
    """Train a new run without traced functions; returns its model file."""
    with running_eagerly():
        return fit(config, data, run, cache, resume=False)
