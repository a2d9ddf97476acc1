"""Pictures that repeat a held-out one under another name: in another size, compression or brightness.

Photographs of the web are in several sets, and some sets hold a photograph twice. One that is measured on
must not be trained on, so names alone do not decide.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

ALIKE = 0.95
"""Correlation of two reduced pictures from which they count as the same. Of 11,784 photographs from six
sets 92 are as much alike to a held-out one: those of up to 0.985 were looked at, and each repeats it, as a
whole or as a view of the same fixed camera. From 0.90 to 0.95 are four, of which one is a view of the same
camera."""
_SIDE = 24
_FLAT = 1.0
"""Norm below which a reduced picture shows nothing that could be compared."""


def find_repeats(pictures: Sequence[NDArray[np.uint8]], held_out: Sequence[NDArray[np.uint8]]) -> list[bool]:
    """For each grey picture (h, w) uint8, whether it shows the same as one of `held_out`."""
    if not pictures or not held_out:
        return [False] * len(pictures)
    correlations = _reduced(pictures) @ _reduced(held_out).T
    return [bool(most >= ALIKE) for most in correlations.max(axis=1)]


def _reduced(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Unit vectors (n, side * side), whose products are correlations; zeros for a flat picture."""
    small = [cv2.resize(each, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).ravel() for each in pictures]
    vectors = np.stack(small).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.where(norms > _FLAT, vectors / np.maximum(norms, _FLAT), 0), np.float32)
