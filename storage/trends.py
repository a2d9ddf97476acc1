"""The read side: the queries for every figure on the dashboard.

A group of visits that is too small to be shown (`storage.suppression`) has no figures in the results, so no
page and no export can show them. `storage.definitions` defines each figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import sqlalchemy as sa

from bus.messages import MINUTE_US, UNKNOWN
from storage import suppression, tables
from storage.camera_status import CameraStatus, Condition, read_camera_status
from storage.counts import Cell, Counts, read_counts
from storage.day_partitions import DAY_US, start_of_day
from storage.intervals import Interval, mean_interval, share_interval
from storage.periods import Period, last_slots, to_local_time
from storage.tables import EXPRESSIONS, GENDERS

__all__ = [
    "COVERAGE_FLOOR",
    "EXPRESSIONS",
    "GENDERS",
    "THIN",
    "UNKNOWN",
    "CameraStatus",
    "Choice",
    "Condition",
    "Figures",
    "Interval",
    "Period",
    "Slot",
    "State",
    "Trend",
    "last_slots",
    "read_camera_status",
    "read_newest_result",
    "read_trend",
    "to_local_time",
]

COVERAGE_FLOOR = 0.9
"""The coverage below which figures are marked, since visits are missing."""

THIN = 30
"""The number of visits below which a figure is drawn faintly, since its interval is wide."""


class State(StrEnum):
    """Whether a period or slot has figures, or why it has none."""

    SHOWN = "shown"
    NOBODY = "nobody seen"
    SUPPRESSED = "too few to show"
    UNOBSERVED = "not observed"


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen cameras, None for all; groups of fewer than `suppress_below` visits are hidden."""

    suppress_below: int
    cameras: frozenset[str] | None = None

    def has(self, camera_id: str) -> bool:
        """Whether a camera is chosen."""
        return self.cameras is None or camera_id in self.cameras


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a group of visits; those that are hidden or do not exist are None or empty.

    `expressions` are shares of all visits, "unknown" among them. `genders` are shares of the labelled
    visits and `gender_unknown` is the share of all visits that were not labelled. `mood` is the index,
    -100 to 100; `coverage` is 0 to 1.
    """

    state: State
    coverage: float | None
    visits: int | None = None
    mood: Interval | None = None
    expressions: Mapping[str, Interval] = field(default_factory=dict)
    genders: Mapping[str, Interval] = field(default_factory=dict)
    gender_unknown: Interval | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """The figures of one slot, `start` to `end` in UTC microseconds; `running` if it is not over yet."""

    start: int
    end: int
    running: bool
    figures: Figures


@dataclass(frozen=True, slots=True)
class Trend:
    """The figures of a whole period and of each of its slots, read at the same time."""

    whole: Figures
    slots: tuple[Slot, ...]


def read_trend(engine: sa.Engine, period: Period, choice: Choice) -> Trend:
    """Read the figures of a period for a choice of cameras.

    Raises DatabaseError where the database cannot be read.
    """
    counts = read_counts(engine, period)
    groups: list[list[Cell]] = [[] for _ in range(period.slots)]
    for cell in counts.cells:
        groups[cell.slot].append(cell)
    (whole,) = _figures([counts.cells], [range(period.slots)], counts, choice)
    parts = _figures(groups, [[slot] for slot in range(period.slots)], counts, choice)
    edges = [period.edge(slot) for slot in range(period.slots + 1)]
    slots = [
        Slot(start, end, end > period.now, part)
        for start, end, part in zip(edges[:-1], edges[1:], parts, strict=True)
    ]
    return Trend(whole, tuple(slots))


def read_newest_result(engine: sa.Engine) -> int | None:
    """The capture time of the newest stored result in UTC microseconds, None without results.

    Frames are stored as counts by minute. Without a newer visit the time is the start of the newest minute
    plus its watched time, which is never too late, and too early by less than a minute.

    Raises DatabaseError where the database cannot be read.
    """
    visits, minutes = tables.visits.c, tables.camera_minutes.c
    last_seen = sa.select(sa.func.max(visits.last_seen))
    newest_minute = (
        sa.select(minutes.minute, sa.func.max(minutes.watched_us).label("watched_us"))
        .where(minutes.analysed > 0)
        .group_by(minutes.minute)
        .order_by(minutes.minute.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        minute = connection.execute(newest_minute).first()
        # A newer visit started on one of these days; the condition limits the query to a few day partitions.
        since = visits.first_seen >= (start_of_day(minute.minute) - DAY_US if minute else 0)
        # Two queries, since each reads one end of the index visits_open.
        times = [
            connection.scalar(last_seen.where(closed, since)) for closed in (visits.closed, ~visits.closed)
        ]
    if minute:
        times.append(minute.minute + min(minute.watched_us, MINUTE_US))
    return max((time for time in times if time is not None), default=None)


def _figures(
    groups: Sequence[Sequence[Cell]], slots: Sequence[Iterable[int]], counts: Counts, choice: Choice
) -> list[Figures]:
    hidden = _hidden(groups, choice)
    genders_hidden = hidden | _hidden([_labelled(group) for group in groups], choice)
    result = []
    for index, (group, within) in enumerate(zip(groups, slots, strict=True)):
        cells = [cell for cell in group if choice.has(cell.camera_id)]
        covered = _coverage(counts, choice, within)
        if not cells:
            nobody = Figures(State.NOBODY, covered, visits=0)
            result.append(nobody if covered else Figures(State.UNOBSERVED, covered))
        elif index in hidden:
            result.append(Figures(State.SUPPRESSED, covered))
        else:
            shown = _shown(cells, covered)
            hide = index in genders_hidden
            result.append(replace(shown, genders={}, gender_unknown=None) if hide else shown)
    return result


def _shown(cells: Sequence[Cell], covered: float | None) -> Figures:
    return Figures(
        State.SHOWN,
        covered,
        visits=sum(cell.visits for cell in cells),
        mood=_mood_index(cells),
        expressions=_expression_mix(cells),
        genders=_gender_mix(cells),
        gender_unknown=_gender_unknown(cells),
    )


def _mood_index(cells: Sequence[Cell]) -> Interval:
    n = sum(cell.visits for cell in cells)
    total = sum(cell.mood for cell in cells)
    squares = sum(cell.mood_squared for cell in cells)
    mean = mean_interval(n, 100 * total, 100**2 * squares)
    return replace(mean, low=max(mean.low, -100.0), high=min(mean.high, 100.0))


def _expression_mix(cells: Iterable[Cell]) -> dict[str, Interval]:
    return _shares(_count_visits(cells, "expression"), (*EXPRESSIONS, UNKNOWN))


def _gender_mix(cells: Iterable[Cell]) -> dict[str, Interval]:
    return _shares(_count_visits(_labelled(cells), "gender"), GENDERS)


def _gender_unknown(cells: Iterable[Cell]) -> Interval:
    visits = _count_visits(cells, "gender")
    return share_interval(visits[UNKNOWN], visits.total())


def _coverage(counts: Counts, choice: Choice, slots: Iterable[int]) -> float | None:
    within = set(slots)
    scheduled = {
        key: time
        for key, time in counts.scheduled.items()
        if time and key[0] in within and choice.has(key[1])
    }
    watched = sum(min(counts.watched.get(key, 0), time) for key, time in scheduled.items())
    return watched / sum(scheduled.values()) if scheduled else None


def _hidden(groups: Sequence[Iterable[Cell]], choice: Choice) -> frozenset[int]:
    """The indices of the groups of cells that are hidden for this choice of cameras."""
    k = choice.suppress_below
    totals, revealing = [], []
    for index, group in enumerate(groups):
        visits = _count_visits(group, "camera_id")
        chosen = [name for name in visits if choice.has(name)]
        totals.append(sum(visits[name] for name in chosen))
        if chosen and not suppression.is_separable(visits, chosen, k):
            revealing.append(index)
    return suppression.find_hidden(totals, k, revealing)


def _labelled(cells: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.gender != UNKNOWN]


def _count_visits(cells: Iterable[Cell], key: str) -> Counter[str]:
    visits: Counter[str] = Counter()
    for cell in cells:
        visits[getattr(cell, key)] += cell.visits
    return visits


def _shares(visits: Mapping[str, int], labels: Sequence[str]) -> dict[str, Interval]:
    n = sum(visits.values())
    return {label: share_interval(visits.get(label, 0), n) for label in labels} if n else {}
