"""k-suppression: small groups are hidden, and others with them so that no subtraction reveals a small one.

A group of fewer than k visits is hidden. Complementary suppression hides another group wherever the total
minus the shown groups would reveal the hidden one. This protects the figures of one table at one moment. The
figures of periods are protected over time as well, by `storage.figures.release`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def find_hidden(counts: Sequence[int], k: int, also: Collection[int] = ()) -> frozenset[int]:
    """The indices of the groups to hide: small ones, those in `also`, and complements of both.

    The result is empty, or at least two groups with k visits together, or all groups with visits. Groups
    without visits are never hidden, since there is nobody to protect. A complement is the shown group nearest
    to the last hidden one, the earlier of two, so that hidden time slots form one gap.
    """
    hide = {index for index, count in enumerate(counts) if 0 < count < k} | set(also)
    while hide and (len(hide) < 2 or sum(counts[index] for index in hide) < k):
        shown = [index for index, count in enumerate(counts) if count and index not in hide]
        if not shown:
            break
        last = max(hide)
        hide.add(min(shown, key=lambda index: (abs(index - last), index)))
    return frozenset(hide)


def is_separable(counts: Mapping[str, int], chosen: Collection[str], k: int) -> bool:
    """Whether the sum of the groups `chosen` may be shown together with every other sum that may be shown.

    It may if all hidden groups are chosen or none is: the difference of two such sums never consists of only
    some of the hidden groups.
    """
    ranked = sorted(counts, key=lambda name: (counts[name], name))
    small = {ranked[index] for index in find_hidden([counts[name] for name in ranked], k)}
    return small <= set(chosen) or small.isdisjoint(chosen)
