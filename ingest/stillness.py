"""Pictures that show nothing: frozen, or black."""

from __future__ import annotations

import numpy as np

from ingest.pictures import Gray

FROZEN = "the picture is frozen"
BLACK = "the picture is black"
FROZEN_BLACK = "the picture is frozen and black"

_DARK = 24
_BRIGHT_SHARE = 0.02
"""A picture is black when fewer pixels than this are brighter than `_DARK`: a clock in its corner may be."""
_EVERY = 8
"""Pixels between those that are looked at for brightness."""


class PictureWatch:
    """Tells when the pictures of a live camera no longer change, or are black, for `after` seconds.

    A real sensor never gives the same picture twice; only pictures that are equal in every pixel count as
    frozen. A camera that froze stays frozen, over any number of reconnects, until the picture changes.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._last: Gray | None = None
        self._same_since = 0.0
        self._lit_at = 0.0
        self._frozen = False
        self._black = False

    def opened(self, now: float) -> None:
        """The camera was opened, first or again, at `now`: seconds on a clock that never goes back."""
        self._same_since = self._lit_at = now

    def see(self, gray: Gray, now: float) -> None:
        """Look at the picture that came at `now`."""
        if self._last is None or not np.array_equal(self._last, gray):
            self._last, self._same_since, self._frozen = gray, now, False
        if _is_lit(gray):
            self._lit_at, self._black = now, False
        self._frozen |= self.is_overdue(now)
        self._black |= now - self._lit_at >= self._after

    def is_overdue(self, now: float) -> bool:
        """Whether this connection has shown one and the same picture for too long."""
        return now - self._same_since >= self._after

    @property
    def is_frozen(self) -> bool:
        """Whether the last picture is the one at which the camera froze."""
        return self._frozen

    @property
    def reason(self) -> str:
        """What is wrong with the pictures; empty while all is well."""
        if self._frozen:
            return FROZEN_BLACK if self._black else FROZEN
        return BLACK if self._black else ""


def _is_lit(gray: Gray) -> bool:
    sample = gray[::_EVERY, ::_EVERY]
    return int(np.count_nonzero(sample > _DARK)) >= _BRIGHT_SHARE * sample.size
