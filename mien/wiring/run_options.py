"""What is captured by `mien run` and `mien ingest`, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Which cameras are captured, and how recordings are read.

    `only`: ids of registered cameras, None for all of them. `fast`: recordings are read as fast as they are
    analysed, every frame unless a camera has an fps of its own. `loop`: recordings restart at their end.
    """

    only: frozenset[str] | None = None
    fast: bool = False
    loop: bool = False

    @property
    def temporary_cameras(self) -> frozenset[str]:
        """Cameras to remove from the registry after the run, unless they were registered before it.

        They are those that a live run names; a fast run ends, and its cameras stay as its history.
        """
        return self.only if self.only and not self.fast else frozenset()
