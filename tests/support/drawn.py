"""What the charts of a page draw: the rows behind their marks, as the browser has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.support.browser import PATIENCE_MS, OpenPage

Row = Mapping[str, Any]
Rows = Sequence[Row]

_READ = """() => Object.fromEntries(
    [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')].map(chart => {
        const rows = new Set()
        for (const mark of chart.querySelectorAll('svg *')) {
            const row = mark.__data__?.datum
            if (row && typeof row === 'object') rows.add(JSON.stringify(row))
        }
        return [chart.getAttribute('aria-label'), [...rows].map(row => JSON.parse(row))]
    })
)"""
"""Vega keeps with each element of a chart the row that it draws."""


def read_drawn(opened: OpenPage) -> dict[str, Rows]:
    """The rows that each chart draws, by the description of the chart; each row once."""
    found: dict[str, Rows] = opened.page.evaluate(_READ)
    return found


def wait_for_drawn(opened: OpenPage, expected: object, reduce: Callable[[dict[str, Rows]], object]) -> None:
    """Wait until the charts draw what is expected; `reduce` takes from their rows what is compared."""
    deadline = time.monotonic() + 2 * PATIENCE_MS / 1000
    while (found := reduce(read_drawn(opened))) != expected:
        assert time.monotonic() < deadline, f"drawn: {found}\nexpected: {expected}"
        opened.page.wait_for_timeout(200)
