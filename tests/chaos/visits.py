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


class _Match(NamedTuple):
    """How well a part fits a visit: ends that are the same to the microsecond, then what they share."""

    ends: int
    overlap: int
    part: int
    whole: int


def compare(undisturbed: Iterable[Seen], found: Iterable[Seen]) -> Comparison:
    """Give each visit that was found to the undisturbed one that it is a part of.

    The best matches come first, and of equal ones a visit that has no part yet, since several people may
    come or go at the same moment.
    """
    whole, parts = list(undisturbed), list(found)
    owner: dict[int, int] = {}
    owned: Counter[int] = Counter()
    matches = _matches(whole, parts)
    while matches:
        best = max(matches, key=lambda match: (match.ends, match.overlap, not owned[match.whole]))
        owner[best.part] = best.whole
        owned[best.whole] += 1
        matches = [match for match in matches if match.part not in owner]
    split = sum(count > 1 for count in owned.values())
    return Comparison(len(whole), len(parts), split, len(whole) - len(owned))


def _matches(whole: list[Seen], parts: list[Seen]) -> list[_Match]:
    return [
        _Match((part.first == each.first) + (part.last == each.last), overlap, number, index)
        for number, part in enumerate(parts)
        for index, each in enumerate(whole)
        if part.camera == each.camera
        and (overlap := min(part.last, each.last) - max(part.first, each.first)) >= 0
    ]
