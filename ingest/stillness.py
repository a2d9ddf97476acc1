"""Detector of pictures that show nothing: frozen, black, or of one even grey."""

from __future__ import annotations

from collections import deque

import numpy as np

from media.images import Gray

FROZEN = (
    "the picture is frozen: the camera or its recorder sends the same picture again and again; restart it"
)
BLACK = "the picture is black: the lens is covered, it is dark, or the camera has no signal"
FROZEN_BLACK = "the picture is frozen and black: the camera has no signal, or is off behind a recorder"
FLAT = "the picture is one even grey: the camera has no signal, or its stream is not decoded right"

CONSTANT = (
    "every picture of the video is the same: its recorder had no moving picture, or it is not decoded right"
)

_FLAT_RANGE = 2
"""Grey levels between the darkest and the brightest pixel of an even picture; a sensor has more noise."""
_DARK = 24
_BRIGHT_SHARE = 0.02
"""A picture is black when a smaller share of its pixels is brighter than `_DARK`: it may show a clock."""
_BRIGHTNESS_STEP = 8
_COMPARISON_STEP = 4
"""Distance in pixels between the samples for brightness and for comparison."""
_HISTORY = 32
"""Earlier pictures with which a new one is compared; a recording that a camera repeats is longer."""
_FEWEST = 10
"""Sampled pictures of a video from which it can be called constant."""


class StillnessDetector:
    """Detects that the pictures of a live camera are frozen, black or even for at least `after` seconds.

    A real sensor never delivers the same picture twice, so a picture counts as new unless it equals one of
    the last few in every compared pixel. The last few are compared because an encoder whose input is frozen
    repeats its output from key frame to key frame. An encoder whose output differs each time is not detected;
    a tolerance would take a quiet shop for a frozen camera. A camera stays frozen across reconnects until a
    new picture arrives.
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._seen: deque[int] = deque(maxlen=_HISTORY)
        self._same_since = 0.0
        self._lit_at = 0.0
        self._frozen = False
        self._black = False
        self._varied_at = 0.0
        self._flat = False

    def restart(self, now: float) -> None:
        """The camera was opened, first or again, at `now`: seconds on a clock that never runs backwards."""
        self._same_since = self._lit_at = self._varied_at = now

    def update(self, gray: Gray, now: float) -> None:
        """Examine the picture that arrived at `now`."""
        fingerprint = _fingerprint(gray)
        if fingerprint not in self._seen:
            self._seen.append(fingerprint)
            self._same_since, self._frozen = now, False
        if _is_lit(gray):
            self._lit_at, self._black = now, False
        if not _is_flat(gray):
            self._varied_at, self._flat = now, False
        self._frozen |= self.is_overdue(now)
        self._flat |= now - self._varied_at >= self._after
        self._black |= now - self._lit_at >= self._after

    def is_overdue(self, now: float) -> bool:
        """Whether this connection has delivered no new picture for too long."""
        return now - self._same_since >= self._after

    @property
    def is_frozen(self) -> bool:
        """Whether no new picture has arrived since the camera froze."""
        return self._frozen

    @property
    def reason(self) -> str:
        """The problem with the pictures and its likely cause; empty if there is none."""
        if self._flat and not self._black:
            return FLAT
        if self._frozen:
            return FROZEN_BLACK if self._black else FROZEN
        return BLACK if self._black else ""


class ConstancyDetector:
    """Detects a recorded video of which every sampled picture is the same."""

    def __init__(self) -> None:
        self._fingerprint = 0
        self._pictures = 0
        self._constant = True

    def update(self, gray: Gray) -> None:
        """Examine the next sampled picture."""
        if not self._constant:
            return
        fingerprint = _fingerprint(gray)
        self._constant = not self._pictures or fingerprint == self._fingerprint
        self._fingerprint = fingerprint
        self._pictures += 1

    @property
    def reason(self) -> str:
        """The problem and its likely cause; empty if there is none, or too few pictures to tell."""
        return CONSTANT if self._constant and self._pictures >= _FEWEST else ""


def _fingerprint(gray: Gray) -> int:
    return hash((gray.shape, gray[::_COMPARISON_STEP, ::_COMPARISON_STEP].tobytes()))


def _is_lit(gray: Gray) -> bool:
    sample = gray[::_BRIGHTNESS_STEP, ::_BRIGHTNESS_STEP]
    return int(np.count_nonzero(sample > _DARK)) >= _BRIGHT_SHARE * sample.size


def _is_flat(gray: Gray) -> bool:
    sample = gray[::_COMPARISON_STEP, ::_COMPARISON_STEP]
    return int(sample.max()) - int(sample.min()) <= _FLAT_RANGE
