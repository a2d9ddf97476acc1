"""Pictures that occur more than once in a data set, told by their very pixels."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Duplicates:
    """How many pictures occur more than once; what does not occur is not listed."""

    within: Mapping[int, int]
    """By split: pictures that one before them in the split has shown already."""
    across: Mapping[tuple[int, int], int]
    """By pair of splits, the earlier one first: pictures of the first that are in the second too."""
    contradicting: int
    """Different pictures that occur with more than one label."""


def duplicates(images: NDArray[np.uint8], splits: NDArray[np.int64], labels: NDArray[np.int64]) -> Duplicates:
    """The duplicates among pictures, or clips, (n, ...) with a split (n,) and a label (n,) each."""
    counts: dict[bytes, Counter[int]] = defaultdict(Counter)
    meanings: dict[bytes, set[int]] = defaultdict(set)
    for image, split, label in zip(images, splits.tolist(), labels.tolist(), strict=True):
        digest = hashlib.sha256(image.tobytes()).digest()
        counts[digest][split] += 1
        meanings[digest].add(label)
    within: Counter[int] = Counter()
    across: Counter[tuple[int, int]] = Counter()
    for by_split in counts.values():
        within.update({split: count - 1 for split, count in by_split.items() if count > 1})
        across.update({(one, two): by_split[one] for one, two in permutations(by_split, 2) if one < two})
    contradicting = sum(len(found) > 1 for found in meanings.values())
    return Duplicates(dict(sorted(within.items())), dict(sorted(across.items())), contradicting)
