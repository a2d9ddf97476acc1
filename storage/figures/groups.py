"""The figures of one group of visits: its state, or its shares, means and medians."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bus.messages import MICROSECONDS, UNKNOWN
from storage.figures.estimate import mean_over_days, median_over_days, shares_over_days
from storage.intervals import Interval
from storage.tables import (
    ALL_GENDER_LABELS,
    ALL_LABELS,
    CROSS_COUNTS,
    DWELL_BINS,
    DWELL_EDGES_S,
    EXPRESSIONS,
    GENDERS,
)

COVERAGE_FLOOR = 0.9
"""The coverage below which figures are marked, since visits are missing."""

THIN = 30
"""The number of visits below which a figure is drawn faintly, since its interval is wide."""

ENOUGH_WATCHED = 0.5
"""The coverage from which on a slot without visits says that nobody was there."""

ENGAGED_S = 10
"""The dwell, in seconds, from which on a visit counts as engaged: one of `DWELL_EDGES_S`."""

LABELS = (*EXPRESSIONS, UNKNOWN)
GENDER_LABELS = (*GENDERS, UNKNOWN)
GROUP_COLUMNS = (
    *("visits", "simulated", *CROSS_COUNTS),
    *("mood", "mood_squared", "dwell_us", "dwell_squared", *DWELL_BINS),
    *("watched_us", "scheduled_us"),
)
"""The columns of which `figures_of` needs the sums."""

_PLACE = {name: place for place, name in enumerate(GROUP_COLUMNS)}
_CROSS = [_PLACE[name] for name in CROSS_COUNTS]
_BINS = [_PLACE[name] for name in DWELL_BINS]
Array = NDArray[np.float64]


class State(StrEnum):
    """Whether a period or slot has figures, or why it has none."""

    SHOWN = "shown"
    NOBODY = "nobody seen"
    SUPPRESSED = "too few to show"
    UNOBSERVED = "not observed"


NOT_ESTIMATED = "not estimated: switched off for these cameras"
"""The state of an estimate whose switch is off."""

HARDLY_OBSERVED = "hardly observed"
"""The state of a slot without visits whose coverage is too low to say that nobody was there."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a group of visits; those that are hidden or do not exist are None or empty.

    `expressions` are shares of the visits whose expression was estimated, "unknown" among them, and `mood` is
    their index, -100 to 100. `genders` are shares of the labelled visits, and `gender_unknown` is the share
    of the estimated ones that were not labelled. Nothing is estimated where a camera's switch is off.
    `coverage` is 0 to 1. `dwell` and `dwell_median` are seconds, `engagement` is the share of
    visits of at least `ENGAGED_S` seconds. `simulated` tells whether simulated visits are among them.
    `expressions_off` and `genders_off` tell that no visit has such an estimate, since it was switched off.
    """

    state: State
    coverage: float | None
    visits: int | None = None
    mood: Interval | None = None
    expressions: Mapping[str, Interval] = field(default_factory=dict)
    genders: Mapping[str, Interval] = field(default_factory=dict)
    gender_unknown: Interval | None = None
    dwell: Interval | None = None
    dwell_median: Interval | None = None
    engagement: Interval | None = None
    simulated: bool = False
    expressions_off: bool = False
    genders_off: bool = False


def cross_counts(sums: Array) -> Array:
    """The visits of which both were estimated, of the shape (..., expressions, genders), unknown last.

    `sums` are those of `CROSS_COUNTS` alone, of the shape (..., columns).
    """
    return _by_labels(sums)[..., : len(LABELS), : len(GENDER_LABELS)]


def expression_counts(sums: Array) -> Array:
    """The visits by estimated expression, of the shape (..., expressions), unknown last."""
    counts: Array = _by_labels(sums[..., _CROSS]).sum(axis=-1)[..., : len(LABELS)]
    return counts


def gender_counts(sums: Array) -> Array:
    """The visits by perceived gender, of the shape (..., genders), unknown last."""
    counts: Array = _by_labels(sums[..., _CROSS]).sum(axis=-2)[..., : len(GENDER_LABELS)]
    return counts


def _by_labels(sums: Array) -> Array:
    """Sums of `CROSS_COUNTS` by all labels: the last of each kind is that of visits without an estimate."""
    return sums.reshape(*sums.shape[:-1], len(ALL_LABELS), len(ALL_GENDER_LABELS))


def column(sums: Array, name: str) -> Array:
    """One of `GROUP_COLUMNS` of sums of the shape (..., columns)."""
    found: Array = sums[..., _PLACE[name]]
    return found


def coverage_of(sums: Array) -> float | None:
    """The watched part of the scheduled time, None where nothing was scheduled."""
    scheduled = float(column(sums, "scheduled_us").sum())
    return float(column(sums, "watched_us").sum()) / scheduled if scheduled else None


def state_without_visits(coverage: float | None) -> State:
    """Whether nobody was there, or it is unknown, since hardly any of the scheduled time was watched."""
    return State.UNOBSERVED if coverage is None or coverage < ENOUGH_WATCHED else State.NOBODY


def visit_state(figures: Figures) -> str:
    """The state of the number of visits in words; where nothing was to be watched is no gap."""
    return state_text(figures.state, figures.coverage)


def state_text(state: State, coverage: float | None) -> str:
    """A state in words, with what the coverage says about it."""
    if state is not State.UNOBSERVED:
        return state.value
    if coverage is None:
        return "not scheduled"
    return HARDLY_OBSERVED if coverage else state.value


def expression_state(figures: Figures) -> str:
    """The state of expressions and mood in words: why they are missing where the visits are shown."""
    return _estimate_state(figures, bool(figures.expressions), figures.expressions_off)


def gender_state(figures: Figures) -> str:
    """The state of perceived genders in words: why they are missing where the visits are shown."""
    return _estimate_state(figures, figures.gender_unknown is not None, figures.genders_off)


def _estimate_state(figures: Figures, shown: bool, off: bool) -> str:
    if figures.state is not State.SHOWN or shown:
        return visit_state(figures)
    return NOT_ESTIMATED if off else State.SUPPRESSED.value


def figures_of(
    days: Array,
    expressions: Array | None = None,
    genders: Array | None = None,
    *,
    fewest_labelled: int = 1,
) -> Figures:
    """The figures of a group; `days` are its sums by day, of the shape (days, columns).

    `expressions` and `genders` are the sums of the visits whose expression, or gender, may be shown, where
    those are others. Genders are hidden where fewer visits than `fewest_labelled` have a label.
    """
    sums = days.sum(axis=0)
    coverage, visits = coverage_of(sums), round(float(column(sums, "visits")))
    if not visits:
        state = state_without_visits(coverage)
        return Figures(state, coverage, visits=0 if state is State.NOBODY else None)
    shown = _with_mood(_shown(days, sums, visits, coverage), days if expressions is None else expressions)
    by_gender = gender_counts(days if genders is None else genders)
    if by_gender[:, :-1].any() and by_gender[:, :-1].sum() < fewest_labelled:
        return shown
    return replace(
        shown,
        genders=_shares(by_gender[:, :-1], GENDERS),
        gender_unknown=_shares(by_gender, GENDER_LABELS).get(UNKNOWN),
    )


def _with_mood(shown: Figures, days: Array) -> Figures:
    """Figures with the expressions and the mood of the sums `days`."""
    return replace(shown, mood=_mood(days), expressions=_shares(expression_counts(days), LABELS))


def _shown(days: Array, sums: Array, visits: int, coverage: float | None) -> Figures:
    """The figures of all visits: those without an estimate."""
    counts = column(days, "visits")
    seconds = column(days, "dwell_us") / MICROSECONDS
    dwell = mean_over_days(seconds, counts, float(column(sums, "dwell_squared")))
    bins = days[:, _BINS]
    engaged = bins[:, DWELL_EDGES_S.index(ENGAGED_S) + 1 :].sum(axis=1, keepdims=True)
    return Figures(
        State.SHOWN,
        coverage,
        visits=visits,
        dwell=replace(dwell, low=max(dwell.low, 0.0)),
        dwell_median=median_over_days(bins, np.asarray(DWELL_EDGES_S, np.float64)),
        engagement=shares_over_days(engaged, counts)[0],
        simulated=bool(column(sums, "simulated")),
        expressions_off=not expression_counts(days).any(),
        genders_off=not gender_counts(days).any(),
    )


def _mood(days: Array) -> Interval | None:
    """The mood index of the visits whose expression was estimated, None without any."""
    estimated = expression_counts(days).sum(axis=-1)
    if not estimated.any():
        return None
    squares = float(column(days, "mood_squared").sum())
    mood = mean_over_days(column(days, "mood"), estimated, squares, 100.0)
    return replace(mood, low=max(mood.low, -100.0), high=min(mood.high, 100.0))


def _shares(counts: Array, labels: Sequence[str]) -> dict[str, Interval]:
    """The share of each label in the visits of each day, of the shape (days, labels); empty without any."""
    by_day = counts.sum(axis=1)
    if not by_day.any():
        return {}
    return dict(zip(labels, shares_over_days(counts, by_day), strict=True))
