"""Monitor of pictures that cannot be decoded: whether they are more than a few, and why."""

from __future__ import annotations

from collections import deque

_WINDOW = 50
"""Sampled pictures that are looked back on."""
_FEW = 3
"""Damaged ones among them that happen on any network and need no attention."""


class DamageMonitor:
    """Counts how many of the last pictures of one opening of a source could not be decoded."""

    def __init__(self) -> None:
        self._failed: deque[bool] = deque(maxlen=_WINDOW)
        self._first = ""

    def add_decoded(self) -> None:
        """Count a picture that was decoded."""
        self._failed.append(False)
        if not any(self._failed):
            self._first = ""

    def add_failed(self, error: str) -> None:
        """Count a picture that could not be decoded, for this reason."""
        self._failed.append(True)
        self._first = self._first or error

    @property
    def reason(self) -> str:
        """The problem and its likely cause; empty while no more than a few pictures are concerned.

        Without numbers: each change of a state's reason is logged.
        """
        if sum(self._failed) <= _FEW:
            return ""
        return (
            f"many pictures cannot be decoded, such as {self._first}; likely cause: data is lost on the way "
            "from the camera, or its encoder is set to something that is not supported"
        )
