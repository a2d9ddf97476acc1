"""What a viewer has chosen: cameras, and the rule by which small groups are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage import suppression


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen cameras, None for all; groups of fewer than `suppress_below` visits are hidden."""

    suppress_below: int
    cameras: frozenset[str] | None = None

    def has(self, camera_id: str) -> bool:
        """Whether a camera is chosen."""
        return self.cameras is None or camera_id in self.cameras


def hidden_groups(visits: NDArray[np.float64], cameras: Sequence[str], choice: Choice) -> frozenset[int]:
    """The groups that are hidden; `visits` has the shape (groups, cameras).

    A group is hidden where its chosen cameras have few visits together, where it would reveal the few visits
    of the other cameras, or where the others would reveal it.
    """
    if choice.suppress_below <= 1:
        return frozenset()
    chosen = [place for place, camera in enumerate(cameras) if choice.has(camera)]
    totals = visits[:, chosen].sum(axis=1).round().astype(int).tolist()
    revealing = []
    if choice.cameras is not None:
        names = [cameras[place] for place in chosen]
        for group, row in enumerate(visits.round().astype(int).tolist()):
            counts: Mapping[str, int] = {
                camera: count for camera, count in zip(cameras, row, strict=True) if count
            }
            here = [name for name in names if name in counts]
            if here and not suppression.is_separable(counts, here, choice.suppress_below):
                revealing.append(group)
    return suppression.find_hidden(totals, choice.suppress_below, revealing)
