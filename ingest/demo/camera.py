"""Demo camera: a simulated camera, which `demo://NAME` opens."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ingest.demo.render import Renderer


class DemoCamera:
    """The camera `name`; at a given time it always shows the same picture.

    `entrance`, `shelf` and `till` are the three designed places; any other name shows one of them with
    visitors of its own. `clock` gives seconds since the epoch.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        self._renderer: Renderer | None = Renderer(name)
        self._clock = clock

    def read(self) -> NDArray[np.uint8]:
        """The picture (480, 640) uint8 of this moment; raises ValueError after `close`."""
        if self._renderer is None:
            raise ValueError("the demo camera was closed")
        return self._renderer.frame(self._clock())

    def close(self) -> None:
        """Release the cached pictures; may be called twice."""
        self._renderer = None
