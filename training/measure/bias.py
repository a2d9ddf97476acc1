"""Accuracy of perceived gender for each combination of race, gender and age."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import datasets
from training.measure.statistics import Share, share

MIN_FACES = 30
"""A smaller group is in the table, but is not reported as the worst."""


@dataclass(frozen=True)
class DemographicGroup(Share):
    """Accuracy of gender in one group, with its Wilson interval."""

    race: str
    gender: str
    age: str

    @property
    def name(self) -> str:
        """The group in words."""
        return f"{self.race} {self.gender} {self.age}"


def demographic_groups(correct: NDArray[np.bool_], people: datasets.FairFace) -> list[DemographicGroup]:
    """Every group among people, whose gender was classified correctly or not (n,), in reading order."""
    genders = np.array(datasets.GENDERS)[people.genders]
    found = []
    for race in sorted(set(people.races.tolist())):
        for gender in datasets.GENDERS:
            for age in sorted(set(people.ages.tolist()), key=reading_order):
                group = (people.races == race) & (genders == gender) & (people.ages == age)
                if group.any():
                    found.append(
                        DemographicGroup(**vars(share(correct[group])), race=race, gender=gender, age=age)
                    )
    return found


def worst_group(found: Sequence[DemographicGroup]) -> DemographicGroup | None:
    """The least accurate group of at least MIN_FACES faces; None if all are smaller."""
    return min(
        (group for group in found if group.n >= MIN_FACES), key=lambda group: group.value, default=None
    )


def reading_order(name: str) -> tuple[int, str]:
    """Sort key: ages by their first number, other names alphabetically."""
    number = re.search(r"\d+", name)
    return (int(number.group()) if number else 0, name)
