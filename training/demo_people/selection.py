"""Which candidates are averaged with one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.demo_people.candidates import Candidates
from training.demo_people.composite import INNER, Composite, aligned, compose

FACES = 10
"""Faces in a composite."""
FEWEST = 8
"""A composite of fewer faces could be taken for one of them."""
MOST_OF_A_GROUP = 4
"""Faces of one of FairFace's race groups in a composite: none stands for a group."""

_AROUND = 20
"""Faces that look like the first one, from which the most alike become the composite."""


@dataclass(frozen=True)
class Blend:
    """A composite and the candidates' rows that it was made of."""

    composite: Composite
    members: frozenset[int]

    def differs_from(self, other: Blend) -> bool:
        """Whether the two share at most half of their faces."""
        return 2 * len(self.members & other.members) <= len(self.members)


def blends(people: Candidates, rows: NDArray[np.int64], most: int) -> list[Blend]:
    """At most so many composites of candidates, the sharpest first.

    Each is made of a face and those that look most like it, and of their mirror images. The surest and most
    typical faces begin; who has been averaged begins no further composite.
    """
    if len(rows) < FEWEST:
        return []
    both = [[aligned(people.images[row], people.points[row], side) for side in (False, True)] for row in rows]
    inner = np.array([[face[INNER] for face in sides] for sides in both], np.float32)
    inner /= np.linalg.norm(inner, axis=2, keepdims=True)
    typical = inner[:, 0] @ inner[:, 0].mean(axis=0)
    sure = people.expressions[rows].max(axis=1)
    made: list[Blend] = []
    used: set[int] = set()
    for start in np.argsort(-(sure + typical), kind="stable").tolist():
        if start in used or len(made) == most:
            continue
        alike = np.argsort(-(inner @ inner[start, 0]).max(axis=1), kind="stable")[:_AROUND]
        likeness = compose([both[index][0] for index in alike]).likeness
        chosen = _mixed(alike[np.argsort(-likeness, kind="stable")].tolist(), people.groups[rows])
        used.update([start, *chosen])
        if len(chosen) >= FEWEST:
            composite = compose([face for index in chosen for face in both[index]])
            made.append(Blend(composite, frozenset(rows[chosen].tolist())))
    return sorted(made, key=lambda blend: -float(blend.composite.likeness.mean()))


def _mixed(order: list[int], groups: NDArray[np.str_]) -> list[int]:
    """The first FACES of `order`, at most MOST_OF_A_GROUP of any group."""
    chosen: list[int] = []
    counts: dict[str, int] = {}
    for index in order:
        group = str(groups[index])
        if counts.get(group, 0) < MOST_OF_A_GROUP:
            counts[group] = counts.get(group, 0) + 1
            chosen.append(index)
        if len(chosen) == FACES:
            break
    return chosen
