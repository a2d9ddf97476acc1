"""Groups by race, gender and age."""

from __future__ import annotations

import numpy as np

from training.data.datasets import GENDERS, FairFace
from training.measure.bias import FEWEST, cells, reading_order, worst


def people(groups: list[tuple[str, str, str]]) -> FairFace:
    races, genders, ages = (np.array(column) for column in zip(*groups, strict=True))
    n = len(groups)
    numbers = np.array([GENDERS.index(gender) for gender in genders])
    return FairFace(
        np.zeros((n, 96, 96), np.uint8),
        np.zeros((n, 4), np.float32),
        numbers,
        ages,
        races,
        np.arange(n).astype(str),
    )


def test_every_group_that_occurs_has_its_share_in_reading_order() -> None:
    group = [("White", "male", "more than 70"), ("White", "male", "3-9"), ("Black", "female", "20-29")]
    faces = people(group * 40)
    correct = np.arange(120) % 12 != 1
    found = cells(correct, faces)
    assert [cell.name for cell in found] == [
        "Black female 20-29",
        "White male 3-9",
        "White male more than 70",
    ]
    assert [cell.n for cell in found] == [40, 40, 40]
    white = found[1]
    # Wilson's interval of 30 in 40.
    assert (white.value, white.low, white.high) == (0.75, 0.5981, 0.8581)


def test_the_worst_group_has_faces_enough() -> None:
    small, large = [("White", "male", "0-2")] * (FEWEST - 1), [("White", "female", "20-29")] * FEWEST
    found = cells(np.arange(2 * FEWEST - 1) >= FEWEST, people(small + large))
    assert found[1].value == 0
    assert (named := worst(found)) is not None
    assert named.name == "White female 20-29"
    assert worst(found[1:]) is None


def test_ages_are_read_as_numbers() -> None:
    ages = ["more than 70", "10-19", "0-2", "3-9"]
    assert sorted(ages, key=reading_order) == ["0-2", "3-9", "10-19", "more than 70"]
