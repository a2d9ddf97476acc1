"""The read side: every figure on the dashboard is one function here.

A group of visits that is too small to be shown (`storage.suppression`) has no figures in what these
functions return, so no page and no export can show it. `storage.definitions` says what each figure means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import sqlalchemy as sa

from bus.messages import MINUTE_US, UNKNOWN
from storage import suppression, tables
from storage.counts import Cell, Counts, read_counts
from storage.health import CameraStatus, Condition, cameras
from storage.intervals import Interval, mean_interval, share_interval
from storage.partitions import DAY_US, day_of
from storage.periods import Period, last_slots, to_wall_clock
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
    "cameras",
    "last_slots",
    "newest_result",
    "to_wall_clock",
    "trend",
]

COVERAGE_FLOOR = 0.9
"""Coverage under which a figure is marked: some of the visits were not seen."""

THIN = 30
"""Number of visits under which a figure is drawn faintly: its interval is too wide to act upon."""


class State(StrEnum):
    """Whether a stretch of time has figures, or why it has none."""

    SHOWN = "shown"
    NOBODY = "nobody seen"
    SUPPRESSED = "too few to show"
    UNOBSERVED = "not observed"


@dataclass(frozen=True, slots=True)
class Choice:
    """Visits of `cameras`, None for all of them; groups of fewer than `suppress_below` are hidden."""

    suppress_below: int
    cameras: frozenset[str] | None = None

    def has(self, camera_id: str) -> bool:
        """Whether a camera is among the chosen."""
        return self.cameras is None or camera_id in self.cameras


@dataclass(frozen=True, slots=True)
class Figures:
    """What may be said of a group of visits; what may not or cannot be said is None or empty.

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
    """The figures of one stretch of time, `start` to `end` in UTC microseconds; `running`: not over yet."""

    start: int
    end: int
    running: bool
    figures: Figures


@dataclass(frozen=True, slots=True)
class Trend:
    """The figures of a period as a whole and of each of its slots, all of the same moment."""

    whole: Figures
    slots: tuple[Slot, ...]


def trend(engine: sa.Engine, period: Period, choice: Choice) -> Trend:
    """The figures of a period for a choice of cameras.

    Raises sqlalchemy.exc.DBAPIError where the database cannot be read.
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


def newest_result(engine: sa.Engine) -> int | None:
    """When the newest stored result was captured, in UTC microseconds; None where there is none.

    Frames are stored as counts by minute: where no visit tells better, the time is the start of the newest
    minute plus what was watched of it, which is never too late and too early by less than a minute.

    Raises sqlalchemy.exc.DBAPIError where the database cannot be read.
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
        # A visit that is newer began in the same days: without older ones few partitions are asked.
        since = visits.first_seen >= (day_of(minute.minute) - DAY_US if minute else 0)
        # Asked apart, each is answered by one end of the index visits_open.
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
    return _shares(_tally(cells, "expression"), (*EXPRESSIONS, UNKNOWN))


def _gender_mix(cells: Iterable[Cell]) -> dict[str, Interval]:
    return _shares(_tally(_labelled(cells), "gender"), GENDERS)


def _gender_unknown(cells: Iterable[Cell]) -> Interval:
    visits = _tally(cells, "gender")
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
    """The groups of cells that may not be shown for this choice of cameras."""
    k = choice.suppress_below
    totals, telling = [], []
    for index, group in enumerate(groups):
        visits = _tally(group, "camera_id")
        chosen = [name for name in visits if choice.has(name)]
        totals.append(sum(visits[name] for name in chosen))
        if chosen and not suppression.separable(visits, chosen, k):
            telling.append(index)
    return suppression.hidden(totals, k, telling)


def _labelled(cells: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.gender != UNKNOWN]


def _tally(cells: Iterable[Cell], key: str) -> Counter[str]:
    tally: Counter[str] = Counter()
    for cell in cells:
        tally[getattr(cell, key)] += cell.visits
    return tally


def _shares(visits: Mapping[str, int], labels: Sequence[str]) -> dict[str, Interval]:
    n = sum(visits.values())
    return {label: share_interval(visits.get(label, 0), n) for label in labels} if n else {}
