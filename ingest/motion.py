"""Motion gate: passes the pictures in which something moves, and a few of a still scene.

A still scene needs no detector: what the last published picture shows is still there. The gate compares a
small copy of each picture with that of the last picture it passed. Differences are judged by what they are in
the scene's quietest moments, because cameras differ in noise; a change of light is smooth over the picture
and is removed before.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from media.images import Gray

HEARTBEAT_S = 3.0
"""A still scene is published so often: a change that the gate does not see is found after this time."""
HOLD_S = 2.0
"""The gate stays open for so long after a movement: people pause in the middle of a movement."""

_SIDE = 160
"""Longest side of the small copy, in pixels: a face of 16 pixels in a picture of 640 has 4 x 4 there."""
_READ_SIDE = 640
"""Of larger pictures every second pixel or fewer is read, down to this side."""
_CELL = 8
"""Side of the cells in which changes are counted, in pixels of the small copy."""
_LEAST_PIXELS = 2
"""Changed pixels from which a cell has changed."""
_LOWEST, _HIGHEST = 4.0, 25.0
"""Limits of the threshold for a changed pixel, in grey levels. A camera whose noise exceeds the upper one
keeps the gate open."""
_ABOVE_NOISE = 1.5
_BLOCK_S, _MEMORY_S = 3.0, 300.0
"""The threshold is the first times the largest difference in the quietest block of the last minutes. A block
is long enough for a key frame of the camera's encoder, which changes the whole picture a little."""
_NOISE_RANK = 4
"""The difference of two pictures is the difference of this rank, from the largest down: a few pixels may
flicker."""
_LIGHT_SHARE = 0.25
"""Share of the picture's width over which a change is smooth if it is one of light."""
_BAND = 0.12
"""Share of the height, at the top and at the bottom, in which cameras write the time."""
_TICK_S = 1.5
_CLOCK_SHARE = 0.6
_CLOCK_MEMORY_S = 20.0
_CLOCK_CELLS = 6
"""A cell of these bands shows a clock if it changed within the last `_TICK_S` for this share of the time, as
a mean with this time constant; so do so many cells to both sides of it."""


class MotionGate:
    """Selects the pictures of one opening of a camera that are worth an analysis."""

    def __init__(self) -> None:
        self._reference: NDArray[np.float32] | None = None
        self._passed_at = 0.0
        self._moved_at = 0.0
        self._seen_at = 0.0
        self._noise = _Noise()
        self._changed_at = np.zeros(0)
        self._clock_share = np.zeros(0)

    def select(self, gray: Gray, now: float) -> bool:
        """Whether to publish a picture that was captured at `now`, in seconds.

        Pictures must come in the order of their capture; a time before the previous one passes.
        """
        small = _shrink(gray)
        reference = self._reference
        if reference is None or reference.shape != small.shape or now < self._seen_at:
            self._restart(small, now)
        else:
            moves = self._find_movement(np.abs(_remove_light(small - reference)), now)
            self._seen_at = now
            if moves:
                self._moved_at = now
        if now - self._moved_at > HOLD_S and now - self._passed_at < HEARTBEAT_S:
            return False
        self._reference, self._passed_at = small, now
        return True

    def _restart(self, small: NDArray[np.float32], now: float) -> None:
        cells = _count_by_cell(np.zeros(small.shape, bool)).shape
        self._moved_at = self._seen_at = now
        self._noise = _Noise()
        self._changed_at, self._clock_share = np.full(cells, -np.inf), np.zeros(cells)

    def _find_movement(self, difference: NDArray[np.float32], now: float) -> bool:
        """Whether anything but a clock changed; `difference` (height, width) is 0 or more."""
        rank = min(_NOISE_RANK, difference.size)
        self._noise.add(float(np.partition(difference, -rank, axis=None)[-rank]), now)
        threshold = min(max(_ABOVE_NOISE * self._noise.level, _LOWEST), _HIGHEST)
        changed = _count_by_cell(difference > threshold) >= _LEAST_PIXELS
        self._changed_at[changed] = now
        weight = 1 - np.exp(-(now - self._seen_at) / _CLOCK_MEMORY_S)
        recently = now - self._changed_at < _TICK_S
        self._clock_share += weight * (recently - self._clock_share)
        return bool(np.any(changed & ~self._find_clocks()))

    def _find_clocks(self) -> NDArray[np.bool_]:
        """The cells that show a clock: its seconds, and beside them what changes less often."""
        seconds = (self._clock_share > _CLOCK_SHARE).astype(np.uint8)
        clocks = cv2.dilate(seconds, np.ones((3, 2 * _CLOCK_CELLS + 1), np.uint8)).astype(bool)
        band = int(np.ceil(_BAND * len(clocks)))
        clocks[band : len(clocks) - band] = False
        return clocks


class _Noise:
    """The largest difference in the quietest block of the last minutes, in grey levels."""

    def __init__(self) -> None:
        self._began = -math.inf
        self._largest = 0.0
        self._quietest: deque[tuple[float, float]] = deque()
        """Ends and largest differences of blocks; both rise from the first to the last."""

    def add(self, difference: float, now: float) -> None:
        """Add the difference of a picture, at `now` in seconds."""
        if math.isinf(self._began):
            self._began = now
        self._largest = max(self._largest, difference)
        if now - self._began < _BLOCK_S:
            return
        while self._quietest and self._quietest[-1][1] >= self._largest:
            self._quietest.pop()
        self._quietest.append((now, self._largest))
        while self._quietest[0][0] < now - _MEMORY_S:
            self._quietest.popleft()
        self._began, self._largest = now, 0.0

    @property
    def level(self) -> float:
        """Infinite before the end of the first block."""
        return self._quietest[0][1] if self._quietest else math.inf


def _shrink(gray: Gray) -> NDArray[np.float32]:
    """The small copy (height, width) float32; halved last in floating point, for fractions of grey levels."""
    step = max(max(gray.shape) // _READ_SIDE, 1)
    gray = gray[::step, ::step]
    height, width = gray.shape
    scale = min(_SIDE / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    twice = cv2.resize(gray, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(twice.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)


def _remove_light(difference: NDArray[np.float32]) -> NDArray[np.float32]:
    """The difference (height, width) without its smooth part."""
    side = max(round(_LIGHT_SHARE * difference.shape[1]), 1)
    return np.asarray(difference - cv2.blur(difference, (side, side)), np.float32)


def _count_by_cell(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of set pixels in each cell."""
    bottom, right = -mask.shape[0] % _CELL, -mask.shape[1] % _CELL
    padded = np.pad(mask, ((0, bottom), (0, right)))
    rows, columns = padded.shape[0] // _CELL, padded.shape[1] // _CELL
    return np.asarray(padded.reshape(rows, _CELL, columns, _CELL).sum(axis=(1, 3)), np.int64)
