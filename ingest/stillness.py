"""Pictures that show nothing: frozen, or black."""

from __future__ import annotations

from collections import deque

import numpy as np

from ingest.pictures import Gray

FROZEN = "the picture is frozen"
BLACK = "the picture is black"
FROZEN_BLACK = "the picture is frozen and black"

_DARK = 24
_BRIGHT_SHARE = 0.02
"""A picture is black when fewer pixels than this are brighter than `_DARK`: a clock in its corner may be."""
_LOOKED_AT = 8
_COMPARED = 4
"""Pixels from one that is looked at for brightness, or compared, to the next."""
_REMEMBERED = 32
"""Pictures with which a new one is compared; a recording that a camera repeats is longer."""


class PictureWatch:
    """Tells when the pictures of a live camera no longer change, or are black, for `after` seconds.

    A real sensor never gives the same picture twice, so a picture counts as new unless one of the last few
    was equal to it in every pixel that is compared: the last few, since an encoder that is fed one picture
    repeats itself from key frame to key frame. One that codes it differently each time is not found out;
    any tolerance would take a quiet shop for a frozen one. A camera that froze stays frozen, over any
    number of reconnects, until a new picture comes.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)
        self._same_since = 0.0
        self._lit_at = 0.0
        self._frozen = False
        self._black = False

    def opened(self, now: float) -> None:
        """The camera was opened, first or again, at `now`: seconds on a clock that never goes back."""
        self._same_since = self._lit_at = now

    def see(self, gray: Gray, now: float) -> None:
        """Look at the picture that came at `now`."""
        mark = hash((gray.shape, gray[::_COMPARED, ::_COMPARED].tobytes()))
        if mark not in self._seen:
            self._seen.append(mark)
            self._same_since, self._frozen = now, False
        if _is_lit(gray):
            self._lit_at, self._black = now, False
        self._frozen |= self.is_overdue(now)
        self._black |= now - self._lit_at >= self._after

    def is_overdue(self, now: float) -> bool:
        """Whether this connection has shown nothing new for too long."""
        return now - self._same_since >= self._after

    @property
    def is_frozen(self) -> bool:
        """Whether nothing new has come since the camera froze."""
        return self._frozen

    @property
    def reason(self) -> str:
        """What is wrong with the pictures; empty while all is well."""
        if self._frozen:
            return FROZEN_BLACK if self._black else FROZEN
        return BLACK if self._black else ""


def _is_lit(gray: Gray) -> bool:
    sample = gray[::_LOOKED_AT, ::_LOOKED_AT]
    return int(np.count_nonzero(sample > _DARK)) >= _BRIGHT_SHARE * sample.size
