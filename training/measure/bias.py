"""How often perceived gender is right for each race, gender and age together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import datasets
from training.measure.figures import Share, share

FEWEST = 30
"""A group with fewer faces than this is in the table, but is not named the worst."""


@dataclass(frozen=True)
class Cell(Share):
    """How often gender is right in one group; the 95 % interval is Wilson's."""

    race: str
    gender: str
    age: str

    @property
    def name(self) -> str:
        """The group in words."""
        return f"{self.race} {self.gender} {self.age}"


def cells(correct: NDArray[np.bool_], people: datasets.FairFace) -> list[Cell]:
    """Every group that occurs among people whose gender was told right or not (n,), in reading order."""
    genders = np.array(datasets.GENDERS)[people.genders]
    found = []
    for race in sorted(set(people.races.tolist())):
        for gender in datasets.GENDERS:
            for age in sorted(set(people.ages.tolist()), key=reading_order):
                group = (people.races == race) & (genders == gender) & (people.ages == age)
                if group.any():
                    found.append(Cell(**vars(share(correct[group])), race=race, gender=gender, age=age))
    return found


def worst(found: Sequence[Cell]) -> Cell | None:
    """The group of at least 30 faces that is right least often; None where all are smaller."""
    return min((cell for cell in found if cell.n >= FEWEST), key=lambda cell: cell.value, default=None)


def reading_order(name: str) -> tuple[int, str]:
    """A key that sorts ages by their first number, other names by the alphabet."""
    number = re.search(r"\d+", name)
    return (int(number.group()) if number else 0, name)
