"""View of a demo camera: a level pinhole camera.

Places are in metres: x to the right of the camera's axis, y up from the floor, z ahead of the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 480
"""Size of all frames, in pixels."""


@dataclass(frozen=True)
class View:
    """A camera `height` metres above the floor; `focal` and `horizon` (row from the top) in pixels.

    Distant objects take the tone of the air, `haze`.
    """

    focal: float = 640.0
    height: float = 1.75
    horizon: float = 176.0
    haze: float = 190.0

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Column and row of a place, in pixels."""
        scale = self.scale(z)
        return WIDTH / 2 + x * scale, self.horizon + (self.height - y) * scale

    def scale(self, z: float) -> float:
        """Pixels that a metre takes at a distance."""
        return self.focal / z

    def hazy(self, tone: float, z: float) -> float:
        """A tone as seen from a distance."""
        return tone + (self.haze - tone) * self.haziness(z)

    def haziness(self, z: float) -> float:
        """How much of a tone the air replaces, from 0 to 1."""
        return 1 - math.exp(-z / 30)
