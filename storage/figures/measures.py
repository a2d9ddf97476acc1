"""Measures that can be compared: each is a ratio of two sums, so one method serves all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from storage.figures.groups import ENGAGED_S, LABELS
from storage.tables import ALL_GENDER_LABELS, ALL_LABELS, DWELL_BINS, DWELL_EDGES_S

Kind = Literal["rate", "share", "index", "seconds"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A ratio: `scale` times the sum of `above` divided by the sum of `below`.

    The kind tells how it is written: a rate per camera and watched hour, a share, an index, or seconds.
    """

    key: str
    name: str
    kind: Kind
    above: tuple[str, ...]
    below: tuple[str, ...]
    scale: float = 1.0


def _cross(expression: str | None, gender: str | None) -> tuple[str, ...]:
    expressions = ALL_LABELS if expression is None else (expression,)
    genders = ALL_GENDER_LABELS if gender is None else (gender,)
    return tuple(f"n_{one}_{other}" for one in expressions for other in genders)


_ESTIMATED = tuple(name for label in LABELS for name in _cross(label, None))
"""The visits whose expression was estimated."""

VISITS = Measure("visits", "Visits per camera and hour", "rate", ("visits",), ("watched_us",), 3600e6)
MOOD = Measure("mood", "Mood index", "index", ("mood",), _ESTIMATED, 100.0)
DWELL = Measure("dwell", "Mean dwell", "seconds", ("dwell_us",), ("visits",), 1e-6)
ENGAGEMENT = Measure(
    "engagement",
    f"Visits of at least {ENGAGED_S} s",
    "share",
    DWELL_BINS[DWELL_EDGES_S.index(ENGAGED_S) + 1 :],
    ("visits",),
)
EXPRESSION_SHARES = tuple(
    Measure(label, label.capitalize(), "share", _cross(label, None), _ESTIMATED) for label in LABELS
)
FEMALE = Measure(
    "female",
    "Perceived women, of labelled",
    "share",
    _cross(None, "female"),
    _cross(None, "female") + _cross(None, "male"),
)
MEASURES = (VISITS, DWELL, ENGAGEMENT, MOOD, FEMALE, *EXPRESSION_SHARES)
"""Everything that is compared, in the order of a table."""

COLUMNS = tuple(
    dict.fromkeys(
        name
        for measure in MEASURES
        for name in (*measure.above, *measure.below, "visits", "simulated", "watched_us", "scheduled_us")
    )
)
"""The columns of which comparisons need the sums."""
