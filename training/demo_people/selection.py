"""Selection of the candidates for each composite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.demo_people.candidates import Candidates
from training.demo_people.composite import INNER, Composite, align, compose

FACES = 10
"""Faces in a composite."""
MIN_FACES = 8
"""Least faces in a composite: with fewer it could resemble one of them."""
MAX_OF_A_GROUP = 4
"""Most faces of one of FairFace's race groups in a composite: no composite represents a group."""

_NEIGHBOURS = 20
"""Faces most similar to the first, from which those of a composite are chosen."""


@dataclass(frozen=True)
class Blend:
    """A composite and the rows of its candidates."""

    composite: Composite
    members: frozenset[int]

    def differs_from(self, other: Blend) -> bool:
        """Whether the two share at most half of their faces."""
        return 2 * len(self.members & other.members) <= len(self.members)


def make_blends(people: Candidates, rows: NDArray[np.int64], limit: int) -> list[Blend]:
    """At most `limit` composites of candidates, the sharpest first.

    Each is made of a face, the faces most similar to it, and their mirror images. The most confident and
    most typical faces are first; a face that is in a composite starts no further one.
    """
    if len(rows) < MIN_FACES:
        return []
    both = [[align(people.images[row], people.points[row], side) for side in (False, True)] for row in rows]
    inner = np.array([[face[INNER] for face in sides] for sides in both], np.float32)
    inner /= np.linalg.norm(inner, axis=2, keepdims=True)
    typical = inner[:, 0] @ inner[:, 0].mean(axis=0)
    sure = people.expressions[rows].max(axis=1)
    made: list[Blend] = []
    used: set[int] = set()
    for start in np.argsort(-(sure + typical), kind="stable").tolist():
        if start in used or len(made) == limit:
            continue
        alike = np.argsort(-(inner @ inner[start, 0]).max(axis=1), kind="stable")[:_NEIGHBOURS]
        likeness = compose([both[index][0] for index in alike]).likeness
        chosen = _limit_groups(alike[np.argsort(-likeness, kind="stable")].tolist(), people.groups[rows])
        used.update([start, *chosen])
        if len(chosen) >= MIN_FACES:
            composite = compose([face for index in chosen for face in both[index]])
            made.append(Blend(composite, frozenset(rows[chosen].tolist())))
    return sorted(made, key=lambda blend: -float(blend.composite.likeness.mean()))


def _limit_groups(order: list[int], groups: NDArray[np.str_]) -> list[int]:
    """The first FACES of `order`, at most MOST_OF_A_GROUP of any group."""
    chosen: list[int] = []
    counts: dict[str, int] = {}
    for index in order:
        group = str(groups[index])
        if counts.get(group, 0) < MAX_OF_A_GROUP:
            counts[group] = counts.get(group, 0) + 1
            chosen.append(index)
        if len(chosen) == FACES:
            break
    return chosen
