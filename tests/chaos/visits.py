"""Which visits of an undisturbed run a fault split, cut out, or left whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Seen(NamedTuple):
    """A visit's camera and time, in microseconds."""

    camera: str
    first: int
    last: int


class Comparison(NamedTuple):
    """Visits of both runs; of the undisturbed ones, how many are several now, and how many none."""

    undisturbed: int
    found: int
    split: int
    missed: int


def compare(undisturbed: Iterable[Seen], found: Iterable[Seen]) -> Comparison:
    """Give each visit that was found to the undisturbed one that it is a part of."""
    whole, parts = list(undisturbed), list(found)
    owners = Counter(owner for part in parts if (owner := _owner(part, whole)) is not None)
    split = sum(count > 1 for count in owners.values())
    return Comparison(len(whole), len(parts), split, len(whole) - len(owners))


def _owner(part: Seen, whole: list[Seen]) -> int | None:
    """The index of the visit that begins or ends with this part, or else has most in common with it."""
    overlaps = [
        (part.first == each.first or part.last == each.last, _overlap(part, each), index)
        for index, each in enumerate(whole)
        if each.camera == part.camera and _overlap(part, each) >= 0
    ]
    return max(overlaps)[2] if overlaps else None


def _overlap(part: Seen, whole: Seen) -> int:
    return min(part.last, whole.last) - max(part.first, whole.first)
