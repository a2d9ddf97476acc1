"""The window of `mien run --show`: without a display a clear line is printed, and nothing starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mien.errors import StartError
from mien.preview_window import require_display
from tests.support.processes import mien


def test_a_machine_without_a_display_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no display \(DISPLAY is not set\).*page Live"):
        require_display({}, platform="linux")
    variables = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = mien(tmp_path, "run", "--show", "--source", "demo://till", variables=variables)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --show: this machine has no display")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "mien.db").exists()


def test_a_display_that_does_not_exist_is_refused() -> None:
    environ = {**os.environ, "DISPLAY": ":987", "WAYLAND_DISPLAY": ""}
    with pytest.raises(StartError, match=r"no window can be opened on DISPLAY=:987; .*page Live"):
        require_display(environ, platform="linux")
