"""The window of `mien run --show`: on a display it has the picture, without one a clear line is printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.errors import StartError
from mien.preview_window import require_display
from tests.support.processes import mien

PATIENCE_S = 200.0
_SHOW = """
import time
import numpy as np
from mien.preview_window import PreviewWindow
with PreviewWindow("Mien: till", lambda: np.full((200, 300, 3), 173, np.uint8)) as window:
    for _ in range(12_000):
        window.tick()
        time.sleep(0.02)
"""


@pytest.fixture
def display(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A display without a screen, and the file with its picture."""
    if not shutil.which("Xvfb"):
        if os.environ.get("CI") == "true":
            pytest.fail("Xvfb is not installed")
        pytest.skip("Xvfb is not installed")
    read, write = os.pipe()
    arguments = [
        "Xvfb",
        "-displayfd",
        str(write),
        "-fbdir",
        str(tmp_path),
        "-screen",
        "0",
        "640x480x24",
        "-noreset",
    ]
    process = subprocess.Popen(
        arguments, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(write)
    try:
        with os.fdopen(read) as number:
            name = f":{number.readline().strip()}"
        yield name, tmp_path / "Xvfb_screen0"
    finally:
        process.terminate()
        process.wait()


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


def test_the_window_has_the_picture(display: tuple[str, Path]) -> None:
    name, screen = display
    environ = {**os.environ, "DISPLAY": name, "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": "xcb"}
    require_display(environ, platform="linux")
    process = subprocess.Popen([sys.executable, "-c", _SHOW], env=environ, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while (np.frombuffer(screen.read_bytes(), np.uint8) == 173).sum() < 2.9 * 200 * 300:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "the picture is not on the screen"
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
