"""A window with the live picture of one camera, for `mien run --show` on a desktop.

OpenCV's Qt ends the whole process where it cannot reach a display; therefore a window is first tried in a
child process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import StartError

EVERY_S = 0.2
_TRY_S = 20.0
_TRY = "import cv2; cv2.namedWindow('Mien'); cv2.waitKey(1); cv2.destroyAllWindows()"
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")

_log = logging.getLogger(__name__)


def require_display(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> None:
    """Raise StartError where no window can be opened; the message says what is missing."""
    advice = "leave out --show and open the page Live of the dashboard"
    if platform.startswith("linux") and not any(environ.get(name) for name in _DISPLAYS):
        raise StartError(f"--show: this machine has no display (DISPLAY is not set); {advice}")
    try:
        tried = subprocess.run(
            [sys.executable, "-P", "-c", _TRY],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRY_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise StartError(f"--show: the display does not answer; {advice}") from None
    if tried.returncode:
        named = next((f"{name}={environ[name]}" for name in _DISPLAYS if environ.get(name)), "the display")
        raise StartError(f"--show: no window can be opened on {named}; {advice}")


class PreviewWindow:
    """A window that shows the newest picture; a context manager, to be used in the main thread.

    Args:
        title: of the window.
        draw: the newest picture (height, width, 3) uint8, blue, green, red; None while there is none.
    """

    def __init__(self, title: str, draw: Callable[[], NDArray[np.uint8] | None]) -> None:
        self._title = title
        self._draw = draw
        self._due = 0.0
        self._open = False
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            cv2.destroyAllWindows()

    def tick(self) -> None:
        """Show the newest picture, if it is time; a window that the viewer has closed is not opened again."""
        if self._closed:
            return
        if time.monotonic() >= self._due and (picture := self._draw()) is not None:
            self._due = time.monotonic() + EVERY_S
            cv2.imshow(self._title, picture)
            self._open = True
        if self._open:
            cv2.waitKey(1)
            if cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
                self._closed, self._open = True, False
                _log.warning("the window was closed; the run continues, Ctrl-C ends it")
