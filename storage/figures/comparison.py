"""Comparison of two groups of visits: cameras, sites, periods, or an event with its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from storage.figures.cells import Cells, read_cells, snapshot
from storage.figures.common_cameras import find_common_cameras
from storage.figures.difference import ALL, Difference, Side, adjust_holm, difference
from storage.figures.groups import COVERAGE_FLOOR
from storage.figures.measures import COLUMNS, MEASURES, Measure
from storage.figures.selection import Choice, hidden_groups
from storage.figures.timeline import Timeline, Unit
from storage.local_time import HOUR_US, date_of, to_local_time
from storage.tables import CROSS_COUNTS

FEWEST_VISITS = 30
"""The number of visits that each side needs for a verdict."""

FEWEST_DAYS = 4
"""The number of days that each side needs for a verdict."""

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

    `p` is adjusted by Holm's method over the measures of the comparison.
    """

    measure: Measure
    difference: Difference | None
    p: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Part:
    """What one side consists of: visits (None where hidden), days, coverage, and hours that were left out."""

    visits: int | None
    days: int
    coverage: float | None
    dropped_hours: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Side A against side B: what both consist of, and each measure.

    `left_out` are the ids of the chosen cameras that are not compared, since they were not scheduled on both
    sides; `comparable` is False where no camera was.
    """

    a: Part
    b: Part
    matched: bool
    measures: tuple[Compared, ...]
    left_out: tuple[str, ...] = ()
    comparable: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The visits of one side: a period and cameras, None for all."""

    timeline: Timeline
    cameras: frozenset[str] | None = None


def compare(
    engine: sa.Engine, a: Chosen, b: Chosen, suppress_below: int, *, matched: bool = False
) -> Comparison:
    """Compare two sides; if `matched`, B is weighted to the weekdays and hours of A.

    In a matched comparison hours with a coverage below 90 % are left out of both sides. Where both sides are
    the same choice of cameras, only those that were scheduled on both sides are compared.

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
    sides = [_Rows.of(each, matched) for each in cells]
    # Without the hours that are left out, few visits may remain of many.
    hidden = hidden or any(0 < rows.visits < suppress_below for rows in sides)
    parts = [rows.part(hidden) for rows in sides]
    enough = all(
        part.days >= FEWEST_DAYS and rows.visits >= FEWEST_VISITS
        for part, rows in zip(parts, sides, strict=True)
    )
    found = [
        None
        if hidden or any(rows.has_few(measure, suppress_below) for rows in sides)
        else difference(sides[0].side(measure), sides[1].side(measure))
        for measure in MEASURES
    ]
    judged = tuple(_judge(found, enough))
    return Comparison(parts[0], parts[1], matched, judged, left_out, comparable)


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


def _judge(found: Sequence[Difference | None], enough: bool) -> list[Compared]:
    adjusted = iter(adjust_holm([each.p for each in found if each]))
    result = []
    for measure, each in zip(MEASURES, found, strict=True):
        p = next(adjusted) if each else 1.0
        verdict = Verdict.TOO_LITTLE
        if each and enough and np.isfinite(each.low):
            changed = Verdict.UP if each.value > 0 else Verdict.DOWN
            verdict = changed if p < SIGNIFICANCE else Verdict.UNCLEAR
        result.append(Compared(measure, each, p, verdict))
    return result


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

    def part(self, hidden: bool) -> Part:
        scheduled = float(self._column("scheduled_us").sum())
        return Part(
            None if hidden else self.visits,
            len(np.unique(self.blocks)),
            float(self._column("watched_us").sum()) / scheduled if scheduled else None,
            self.dropped,
            bool(self._column("simulated").sum()),
        )

    def has_few(self, measure: Measure, suppress_below: int) -> bool:
        """Whether the measure describes few visits, since most have no such estimate."""
        return measure.kind != "rate" and 0 < self._sum(measure.below).sum() < suppress_below

    def side(self, measure: Measure) -> Side:
        return Side(
            self.blocks, self.cells, measure.scale * self._sum(measure.above), self._sum(measure.below)
        )

    def _sum(self, names: Sequence[str]) -> NDArray[np.float64]:
        return sum((self._column(name) for name in names), np.zeros(len(self.blocks)))
