"""Which visits of an undisturbed run a fault split, removed or left unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class VisitTime(NamedTuple):
    """The camera of a visit, and its first and last time in microseconds."""

    camera: str
    first: int
    last: int


class Comparison(NamedTuple):
    """Visits of both runs; how many undisturbed visits are now several visits (split) or none (missed)."""

    undisturbed: int
    found: int
    split: int
    missed: int


class _Match(NamedTuple):
    """How well a part fits a visit: how many ends are equal to the microsecond, then the time in common."""

    ends: int
    overlap: int
    part: int
    visit: int


def compare(undisturbed: Iterable[VisitTime], found: Iterable[VisitTime]) -> Comparison:
    """Assign each visit that was found to the undisturbed visit that it is a part of.

    The best matches are assigned first; among equal matches a visit without a part comes first, since
    several people may arrive or leave at the same moment.
    """
    visits, parts = list(undisturbed), list(found)
    owner: dict[int, int] = {}
    owned: Counter[int] = Counter()
    matches = _matches(visits, parts)
    while matches:
        best = max(matches, key=lambda match: (match.ends, match.overlap, not owned[match.visit]))
        owner[best.part] = best.visit
        owned[best.visit] += 1
        matches = [match for match in matches if match.part not in owner]
    split = sum(count > 1 for count in owned.values())
    return Comparison(len(visits), len(parts), split, len(visits) - len(owned))


def _matches(visits: list[VisitTime], parts: list[VisitTime]) -> list[_Match]:
    return [
        _Match((part.first == each.first) + (part.last == each.last), overlap, number, index)
        for number, part in enumerate(parts)
        for index, each in enumerate(visits)
        if part.camera == each.camera
        and (overlap := min(part.last, each.last) - max(part.first, each.first)) >= 0
    ]
