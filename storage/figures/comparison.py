"""Comparison of two groups of visits: cameras, sites, periods, or an event with its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from storage.figures.cells import Cells, read_cells, snapshot
from storage.figures.change import are_alike
from storage.figures.common_cameras import find_common_cameras
from storage.figures.difference import (
    ALL,
    Difference,
    Side,
    adjust_holm,
    difference,
    effective_number,
    restrict,
)
from storage.figures.groups import COVERAGE_FLOOR
from storage.figures.measures import COLUMNS, DWELL, MEASURES, VISITS, Measure
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, date_of, to_local_time
from storage.tables import CROSS_COUNTS

FEWEST_VISITS = 30
"""The number of visits with an estimate of the measure that each side needs for a verdict."""

FEWEST_DAYS = 4
"""The number of days with data of the measure that each side needs for a verdict."""

SIGNIFICANCE = 0.05
_NEEDED = tuple(dict.fromkeys((*COLUMNS, *CROSS_COUNTS)))


class Verdict(StrEnum):
    """What a comparison shows, after correction for the number of comparisons."""

    UP = "up"
    DOWN = "down"
    UNCLEAR = "no clear change"
    TOO_LITTLE = "not enough data"


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of a comparison; `difference` is None where there is nothing to compare or it is hidden.

    `p` is adjusted by Holm's method over the measures of the comparison. `n_a` and `n_b` are the visits that
    the measure describes on each side, None where there is no difference, or where they would reveal few
    visits of the side that it does not describe.
    """

    measure: Measure
    difference: Difference | None
    p: float
    verdict: Verdict
    n_a: int | None = None
    n_b: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What one side consists of: visits (None where hidden), days, coverage, and hours that were left out.

    Days are those on which a camera watched or saw somebody. `unmatched` are the visits of a matched
    comparison at weekdays and hours at which the other side has none, None where they are hidden.
    """

    visits: int | None
    days: int
    coverage: float | None
    dropped_hours: int
    simulated: bool
    unmatched: int | None = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Side A against side B: what both consist of, and each measure.

    `left_out` are the ids of the chosen cameras that are not compared, since they were not scheduled on both
    sides; `comparable` is False where no camera was. `alike` is False where the coverages of sides that are
    not matched differ so much that the visits of an hour have no verdict: other hours were watched.
    """

    a: Part
    b: Part
    matched: bool
    measures: tuple[Compared, ...]
    left_out: tuple[str, ...] = ()
    comparable: bool = True
    alike: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The visits of one side: a period and cameras, None for all."""

    timeline: Timeline
    cameras: frozenset[str] | None = None


def compare(
    engine: sa.Engine, a: Chosen, b: Chosen, suppress_below: int, *, matched: bool = False
) -> Comparison:
    """Compare two sides; if `matched`, B is weighted to the weekdays and hours of A.

    In a matched comparison hours with a coverage below 90 % are left out of both sides, and each measure is
    that of the weekdays and hours that both sides have. Where both sides are the same choice of cameras, only
    those that were scheduled on both sides are compared.

    Raises DatabaseError where the database cannot be read.
    """
    unit = Unit.HOUR if matched else Unit.DAY
    left_out: tuple[str, ...] = ()
    comparable = True
    with snapshot(engine) as connection:
        if a.cameras == b.cameras:
            common = find_common_cameras(connection, a.timeline, b.timeline, a.cameras)
            left_out, comparable = common.left_out, bool(common.both) or not common.left_out
            if left_out:
                a, b = replace(a, cameras=common.both), replace(b, cameras=common.both)
        hidden = _is_hidden(connection, a, b, suppress_below)
        cells = [
            read_cells(connection, each.timeline.refined(unit), _NEEDED, only=each.cameras, merged=True)
            for each in (a, b)
        ]
    rows = _Rows.of(cells[0], matched), _Rows.of(cells[1], matched)
    pairs = [_Pair.of(measure, *rows) for measure in MEASURES]
    counterparts = next(pair for pair in pairs if pair.measure is DWELL).visits
    # Without what is left out, or has no counterpart, few visits may remain of many.
    remaining = (*(each.visits for each in rows), *counterparts)
    hidden = hidden or any(0 < visits < suppress_below for visits in remaining)
    parts = [
        each.part(hidden, each.visits - visits if matched else 0, suppress_below)
        for each, visits in zip(rows, counterparts, strict=True)
    ]
    alike = matched or _have_alike_coverage(*parts)
    found = [None if hidden or pair.has_few(suppress_below) else pair.difference() for pair in pairs]
    judged = _judge(pairs, found, alike)
    counts = [
        _shown_counts(each.visits, [pair.visits[side] for pair in pairs], found, suppress_below)
        for side, each in enumerate(rows)
    ]
    measures = tuple(replace(each, n_a=a, n_b=b) for each, a, b in zip(judged, *counts, strict=True))
    return Comparison(parts[0], parts[1], matched, measures, left_out, comparable, alike)


def _is_hidden(connection: sa.Connection, a: Chosen, b: Chosen, suppress_below: int) -> bool:
    """Whether one side is too small to be shown, or would reveal few visits of other cameras."""
    if suppress_below <= 1:
        return False
    for each in (a, b):
        # Without a choice of cameras, the sum over them is all that matters.
        whole = each.timeline.whole()
        cells = read_cells(connection, whole, ("visits",), merged=each.cameras is None)
        if hidden_groups(cells.column("visits"), cells.cameras, Choice(suppress_below, each.cameras)):
            return True
    return False


def _have_alike_coverage(a: Part, b: Part) -> bool:
    return a.coverage is None or b.coverage is None or are_alike(a.coverage, b.coverage)


def _judge(pairs: Sequence[_Pair], found: Sequence[Difference | None], alike: bool) -> list[Compared]:
    adjusted = iter(adjust_holm([each.p for each in found if each]))
    result = []
    for pair, each in zip(pairs, found, strict=True):
        p = next(adjusted) if each else 1.0
        verdict = Verdict.TOO_LITTLE
        # Where different hours were watched, the visits of an hour differ without any change.
        if each and pair.has_enough() and np.isfinite(each.low) and (alike or pair.measure is not VISITS):
            changed = Verdict.UP if each.value > 0 else Verdict.DOWN
            verdict = changed if p < SIGNIFICANCE else Verdict.UNCLEAR
        result.append(Compared(pair.measure, each, p, verdict))
    return result


def _shown_counts(
    visits: int, counts: Sequence[int], found: Sequence[Difference | None], suppress_below: int
) -> list[int | None]:
    """The number of visits of each measure of a side, None where there is no difference.

    It is also None where it differs by few from the visits of the side or of another measure, since
    subtracting one from the other would reveal these few.
    """
    shown = [visits]
    result: list[int | None] = []
    for count, each in zip(counts, found, strict=True):
        reveals = any(0 < abs(count - other) < suppress_below for other in shown)
        result.append(None if each is None or reveals else count)
        if result[-1] is not None:
            shown.append(count)
    return result


@dataclass(frozen=True, slots=True)
class _Pair:
    """One measure on both sides, restricted to the weekdays and hours that both have."""

    measure: Measure
    sides: tuple[Side, Side]

    @classmethod
    def of(cls, measure: Measure, a: _Rows, b: _Rows) -> _Pair:
        return cls(measure, restrict(a.side(measure), b.side(measure)))

    @property
    def visits(self) -> tuple[int, int]:
        """The number of visits that the measure describes, of each side."""
        a, b = (self._visits(side) for side in self.sides)
        return a, b

    def _visits(self, side: Side) -> int:
        counts = side.above / self.measure.scale if self.measure.kind == "rate" else side.below
        return round(float(counts.sum()))

    def has_few(self, suppress_below: int) -> bool:
        """Whether the measure describes few visits of a side: few have such an estimate or a counterpart.

        Also where B's value is nearly that of few visits, since these have nearly all of the weight.
        """
        few = any(0 < visits < suppress_below for visits in self.visits)
        return few or (self.measure.kind != "rate" and effective_number(*self.sides) < suppress_below)

    def has_enough(self) -> bool:
        """Whether both sides have enough visits and days for a verdict."""
        days = min(len(np.unique(side.blocks[side.below > 0])) for side in self.sides)
        return days >= FEWEST_DAYS and min(self.visits) >= FEWEST_VISITS

    def difference(self) -> Difference | None:
        """The difference of both sides, None where there is nothing to compare."""
        found = difference(*self.sides)
        if found is None or self.measure.kind != "share" or not np.isfinite(found.low):
            return found
        # Two shares differ by at most 100 points.
        return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The sums of one side by slot: `sums` has the shape (slots, columns)."""

    columns: tuple[str, ...]
    sums: NDArray[np.float64]
    blocks: NDArray[np.int64]
    cells: NDArray[np.int64]
    dropped: int

    @classmethod
    def of(cls, cells: Cells, matched: bool) -> _Rows:
        sums, timeline = cells.chosen(None), cells.timeline
        starts = timeline.edges[:-1]
        blocks = np.asarray([date_of(start, timeline.zone).toordinal() for start in starts], np.int64)
        hours = np.full(len(starts), ALL, np.int64)
        scheduled = sums[:, cells.columns.index("scheduled_us")]
        keep = (scheduled > 0) | (sums[:, cells.columns.index("visits")] > 0)
        dropped = 0
        if matched:
            local = [to_local_time(start, timeline.zone) // HOUR_US for start in starts]
            hours = np.asarray([(hour // 24 + 3) % 7 * 24 + hour % 24 for hour in local], np.int64)
            watched = sums[:, cells.columns.index("watched_us")]
            covered = watched >= COVERAGE_FLOOR * scheduled
            dropped = int((keep & ~covered).sum())
            keep &= covered
        return cls(cells.columns, sums[keep], blocks[keep], hours[keep], dropped)

    @property
    def visits(self) -> int:
        return round(float(self._column("visits").sum()))

    def _column(self, name: str) -> NDArray[np.float64]:
        return self.sums[:, self.columns.index(name)]

    def part(self, hidden: bool, unmatched: int, suppress_below: int) -> Part:
        scheduled, watched = self._column("scheduled_us"), self._column("watched_us")
        observed = (watched > 0) | (self._column("visits") > 0)
        return Part(
            None if hidden else self.visits,
            len(np.unique(self.blocks[observed])),
            float(watched.sum() / scheduled.sum()) if scheduled.any() else None,
            self.dropped,
            bool(self._column("simulated").sum()),
            None if hidden or 0 < unmatched < suppress_below else unmatched,
        )

    def side(self, measure: Measure) -> Side:
        return Side(
            self.blocks, self.cells, measure.scale * self._sum(measure.above), self._sum(measure.below)
        )

    def _sum(self, names: Sequence[str]) -> NDArray[np.float64]:
        return sum((self._column(name) for name in names), np.zeros(len(self.blocks)))
