"""Which groups are too small to be shown, and which others must go with them.

A group of fewer than k visits is hidden. So is another one wherever a sum minus what is shown would give
the hidden one away: complementary suppression. It holds for what one moment shows; somebody who writes
figures down as they change can still subtract the older from the newer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def hidden(counts: Sequence[int], k: int, besides: Collection[int] = ()) -> frozenset[int]:
    """The indices of the groups to hide: the small ones, those `besides`, and their complements.

    In the end nothing is hidden, or at least two groups that have k visits together, or every group that
    has any. Groups without anybody stay: there is nobody to protect. A complement is the shown group
    nearest to the last hidden one, the earlier of two: along time it reads as one gap.
    """
    hide = {index for index, count in enumerate(counts) if 0 < count < k} | set(besides)
    while hide and (len(hide) < 2 or sum(counts[index] for index in hide) < k):
        shown = [index for index, count in enumerate(counts) if count and index not in hide]
        if not shown:
            break
        last = max(hide)
        hide.add(min(shown, key=lambda index: (abs(index - last), index)))
    return frozenset(hide)


def separable(counts: Mapping[str, int], chosen: Collection[str], k: int) -> bool:
    """Whether the groups `chosen` may be shown beside any other choice that may be shown.

    Those that are to be hidden must all be among the chosen or none of them: then no difference between
    two choices holds only some of them.
    """
    ranked = sorted(counts, key=lambda name: (counts[name], name))
    small = {ranked[index] for index in hidden([counts[name] for name in ranked], k)}
    return small <= set(chosen) or small.isdisjoint(chosen)
