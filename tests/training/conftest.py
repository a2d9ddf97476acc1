"""Fixtures of the training tests: synthetic data, and a trained run that tests only read.

This file imports no Keras: without it the tests are skipped (`tests.support.extras`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.training_data import write_data


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic data folder; a test that changes data makes its own."""
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of `data`."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Run Keras without traced functions in this test."""
    from tests.support.training_runs import running_eagerly  # noqa: PLC0415

    with running_eagerly():
        yield


@pytest.fixture(scope="session")
def paper_cnn_run(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a trained `paper_cnn` with all heads; tests only read it."""
    from tests.support.training_runs import fit_eagerly, tiny  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("runs") / "paper_cnn"
    fit_eagerly(tiny("paper_cnn"), data, folder, cache)
    return folder
