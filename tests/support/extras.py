"""Tests of an optional extra are skipped, with the reason, if the extra is not installed."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest


class _SkippedModule(pytest.Module):
    """A test file that is not imported."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        pytest.skip("Keras is not installed: `make install-train`", allow_module_level=True)


def module_without_extra(path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A skipped module for a test of training without the extra `train`; None: collect the file as usual."""
    trains = path.parent.name == "training" or path.name.startswith("test_train")
    if trains and find_spec("keras") is None:
        return _SkippedModule.from_parent(parent, path=path)
    return None
