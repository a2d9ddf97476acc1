"""Camera source: the contract of everything that pictures are read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""(height, width, 3) uint8 blue, green, red, or (height, width) uint8 luminance."""


@dataclass(frozen=True, slots=True)
class UndecodedPicture:
    """One picture of a source, not decoded yet: most are never sampled.

    `offset` is its time in seconds from the source's first one, None for what a camera shows now. `decode`
    returns its pixels; it must be called before the source is read again, and raises ImageError.
    """

    offset: float | None
    decode: Callable[[], Pixels]


class CameraSource(Protocol):
    """Pictures of one camera or recording; one thread reads it and closes it."""

    @property
    def live(self) -> bool:
        """Whether it shows the present and never ends; a recording has an end."""

    def read(self) -> UndecodedPicture | None:
        """The next picture, None at the end of a recording.

        For a camera the call blocks, at most for the read time-out, and returns pictures without an offset.
        A picture with an offset is returned at once; the caller waits until its time.

        Raises:
            SourceLost: the source failed; the caller closes it.
        """

    def close(self) -> None:
        """Release the camera, connection or file."""
