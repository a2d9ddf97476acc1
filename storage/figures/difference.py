"""Differences of two ratios with intervals that hold for visits of one day that are alike.

A side is a table of blocks: the local days of a period. A difference is estimated from the residuals of the
days (the linearized ratio estimator, as in `storage.figures.estimate`). Days that are on both sides, as when
two cameras are compared over one period, contribute the difference of their residuals, so that what both
sides have in common cancels out.

In a matched difference, side A is compared with what side B would be with A's weekdays and hours: B's ratio
of each weekday and hour is weighted with A's denominators.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.student import t95, two_sided_p

Array = NDArray[np.float64]
ALL = 0
"""The cell of every row where a difference is not matched."""


@dataclass(frozen=True, slots=True)
class Side:
    """The numerators and denominators of one side by block and cell, as rows of equal length.

    `blocks` identifies days, `cells` weekdays and hours.
    """

    blocks: NDArray[np.int64]
    cells: NDArray[np.int64]
    above: Array
    below: Array


@dataclass(frozen=True, slots=True)
class Difference:
    """The value of A, the expected value from B, and their difference with its 95 % interval and p-value.

    Without enough days `low` and `high` are infinite and `p` is 1.
    """

    a: float
    b: float
    value: float
    low: float
    high: float
    p: float

    @property
    def relative(self) -> float | None:
        """The difference as a part of B, None where B is 0."""
        return self.value / abs(self.b) if self.b else None


def difference(a: Side, b: Side) -> Difference | None:
    """The difference of the ratios of two sides, None where one has no common cell with the other.

    Give every row the cell `ALL` for an unmatched difference.
    """
    a, b = restrict(a, b)
    common = _used(a)
    if not len(common):
        return None
    cells = {cell: place for place, cell in enumerate(common.tolist())}
    places_a = np.asarray([cells[cell] for cell in a.cells.tolist()])
    places_b = np.asarray([cells[cell] for cell in b.cells.tolist()])
    weight = np.bincount(places_a, a.below, len(common)) / a.below.sum()
    below_b = np.bincount(places_b, b.below, len(common))
    ratio_b = np.bincount(places_b, b.above, len(common)) / below_b
    value_a, value_b = float(a.above.sum() / a.below.sum()), float((weight * ratio_b).sum())
    found = value_a - value_b
    residual_a = (a.above - ratio_b[places_a] * a.below - found * a.below) / a.below.sum()
    residual_b = (weight / below_b)[places_b] * (b.above - ratio_b[places_b] * b.below)
    by_block_a, by_block_b = _by_block(a.blocks, residual_a), _by_block(b.blocks, residual_b)
    spread, degrees = _spread(by_block_a, by_block_b, len({cell // 24 for cell in cells}))
    if degrees > 0 and not spread and not found:
        return Difference(value_a, value_b, 0.0, 0.0, 0.0, 1.0)
    if not spread or degrees <= 0:
        return Difference(value_a, value_b, found, -math.inf, math.inf, 1.0)
    reach = t95(degrees) * spread
    p = two_sided_p(found / spread, degrees)
    return Difference(value_a, value_b, found, found - reach, found + reach, p)


def restrict(a: Side, b: Side) -> tuple[Side, Side]:
    """Both sides without the cells that have no denominator on the other side, and without empty rows.

    A row without a numerator and a denominator says nothing of its day, so it is no block either.
    """
    common = np.intersect1d(_used(a), _used(b))
    return _only(a, common), _only(b, common)


def effective_number(a: Side, b: Side) -> float:
    """The number of equally weighted visits that B's value, weighted to A's cells, is worth (Kish 1965).

    A visit of B in a cell with much of A and little of B has a large weight. With one cell it is B's
    denominator; 0 where the sides have no common cell.
    """
    a, b = restrict(a, b)
    if not a.below.sum():
        return 0.0
    cells = np.unique(np.concatenate([a.cells, b.cells]))
    of_a, of_b = (np.bincount(np.searchsorted(cells, each.cells), each.below, len(cells)) for each in (a, b))
    return float(of_a.sum() ** 2 / (of_a**2 / of_b).sum())


def _used(side: Side) -> NDArray[np.int64]:
    """The cells with a denominator."""
    return np.unique(side.cells[side.below > 0])


def _only(side: Side, cells: NDArray[np.int64]) -> Side:
    keep = np.isin(side.cells, cells) & ((side.below > 0) | (side.above > 0))
    return Side(side.blocks[keep], side.cells[keep], side.above[keep], side.below[keep])


def _by_block(blocks: NDArray[np.int64], residuals: Array) -> dict[int, float]:
    found: dict[int, float] = {}
    for block, residual in zip(blocks.tolist(), residuals.tolist(), strict=True):
        found[block] = found.get(block, 0.0) + residual
    return found


def _spread(a: dict[int, float], b: dict[int, float], fitted: int) -> tuple[float, float]:
    """The standard error and its degrees of freedom; `fitted` weekdays were estimated from side B."""
    if a.keys() == b.keys():
        blocks = len(a)
        if blocks < 2:
            return 0.0, 0.0
        total = sum((a[block] - b[block]) ** 2 for block in a)
        return math.sqrt(total * blocks / (blocks - 1)), blocks - 1
    free_a, free_b = len(a) - 1, len(b) - fitted
    if free_a < 1 or free_b < 1:
        return 0.0, 0.0
    factor_a, factor_b = math.sqrt(len(a) / free_a), math.sqrt(len(b) / free_b)
    shared = sum(2 * a[block] * b[block] * factor_a * factor_b for block in a.keys() & b.keys())
    part_a = sum(each**2 for each in a.values()) * factor_a**2
    part_b = sum(each**2 for each in b.values()) * factor_b**2
    variance = max(part_a + part_b - shared, 0.0)
    if not part_a + part_b:
        return 0.0, min(free_a, free_b)
    degrees = (part_a + part_b) ** 2 / (part_a**2 / free_a + part_b**2 / free_b)
    return math.sqrt(variance), degrees


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, by the step-down method of S. Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
