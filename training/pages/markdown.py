"""Markdown tables and their cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_interval(figure: Mapping[str, Any]) -> str:
    """A share in percent with its 95 % interval in brackets."""
    value, interval, _ = share_cells(figure)
    return f"{value} ({interval})"


def share_cells(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    """A share in percent, its 95 % interval, and the number of trials."""
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f}", f"{low:.1f}-{high:.1f}", str(figure["n"])
