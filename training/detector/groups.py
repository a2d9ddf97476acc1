"""Faces by the kind of photograph that they are in, by mask and by light: who is found less often."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from training.detector.scenes import Scene

Members = Callable[[Scene], NDArray[np.bool_]]
"""Which of the faces marked in a scene belong to a group, (n,) bool."""

DARK, BRIGHT = 60.0, 160.0
"""Mean of a face's pixels, 0 to 255, below and above which it counts as dark and as bright."""
_MASKED = {
    "with a mask": ("with_mask", "mask_weared_incorrect"),
    "without a mask, in scenes with masks": ("without_mask",),
}


def groups(kinds: Mapping[str, str], sources: Mapping[str, list[str]]) -> dict[str, Members]:
    """The groups by name: of `kinds` (the folders of scenes and what they show), by mask and by light.

    `sources` names, by scene, the source of the label of each face.
    """
    found: dict[str, Members] = {shown: _of_kind(folder) for folder, shown in kinds.items()}
    found |= {name: _from(sources, marks) for name, marks in _MASKED.items()}
    return found | {
        f"dark (mean pixel below {DARK:g})": lambda scene: brightness(scene) < DARK,
        "in between": lambda scene: (brightness(scene) >= DARK) & (brightness(scene) <= BRIGHT),
        f"bright (mean pixel above {BRIGHT:g})": lambda scene: brightness(scene) > BRIGHT,
    }


def brightness(scene: Scene) -> NDArray[np.float64]:
    """The mean pixel of each marked face (n,), 0 to 255."""
    height, width = scene.pixels.shape
    low = np.floor(np.maximum(scene.boxes[:, :2], 0)).astype(int)
    high = np.ceil(np.minimum(scene.boxes[:, :2] + scene.boxes[:, 2:], (width, height))).astype(int)
    return np.array(
        [
            scene.pixels[top:bottom, left:right].mean() if bottom > top and right > left else 0.0
            for (left, top), (right, bottom) in zip(low, high, strict=True)
        ],
        np.float64,
    )


def _of_kind(folder: str) -> Members:
    return lambda scene: np.full(len(scene.boxes), scene.name.startswith(f"{folder}/"))


def _from(sources: Mapping[str, list[str]], marks: tuple[str, ...]) -> Members:
    return lambda scene: np.array([each in marks for each in sources.get(scene.name, [])], bool)
