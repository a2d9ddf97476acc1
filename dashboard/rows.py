"""Figures to the rows that charts draw: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # type: ignore[import-untyped]

from dashboard import theme, words
from dashboard.labels import spread
from storage.trends import COVERAGE_FLOOR, THIN, Figures, Interval, Slot, State, to_wall_clock

Row = dict[str, Any]
Mix = Callable[[Figures], Mapping[str, Interval]]
"""Which shares of a group of visits are drawn."""

LABEL_GAP = 17
"""Pixels from one label to the next."""

SLOT_COLUMNS = (
    *("start", "end", "state", "visits", "visits_opacity", "watched", "strip"),
    *("mood", "mood_low", "mood_high"),
)
STACK_COLUMNS = ("start", "end", "label", "low", "high")
LABEL_COLUMNS = ("at", "y", "label")
SHARE_COLUMNS = ("label", "share", "low", "high", "text", "range", "n", "opacity")


def slot_rows(slots: Sequence[Slot], zone: ZoneInfo, labels: Sequence[str], mix: Mix) -> Any:
    """One row per slot, with one text column per label; times are wall-clock milliseconds."""
    return _table([_slot(slot, zone, labels, mix(slot.figures)) for slot in slots], (*SLOT_COLUMNS, *labels))


def stack_rows(slots: Iterable[Slot], zone: ZoneInfo, labels: Sequence[str], mix: Mix) -> Any:
    """One row per slot and label that has a share: from where to where it reaches, 0 to 1."""
    rows: list[Row] = []
    for slot in slots:
        shares, low = mix(slot.figures), 0.0
        for label in labels:
            high = low + (shares[label].value if label in shares else 0.0)
            if high > low:
                rows.append({**_times(slot, zone), "label": label, "low": low, "high": high})
            low = high
    return _table(rows, STACK_COLUMNS)


def label_rows(
    slots: Sequence[Slot], zone: ZoneInfo, labels: Sequence[str], mix: Mix, top: int, bottom: int
) -> Any:
    """Where each label stands, in pixels between `top` and `bottom`: by its part of the last stack."""
    shown = [shares for slot in slots if (shares := mix(slot.figures))]
    if not shown:
        return _table([], LABEL_COLUMNS)
    present = [label for label in labels if any(shares[label].value for shares in shown)]
    middles, low = [], 0.0
    for label in present:
        share = shown[-1][label].value
        middles.append((low + share / 2) * (bottom - top))
        low += share
    at = _times(slots[-1], zone)["end"]
    heights = spread(middles, LABEL_GAP, 6, bottom - top - 6)
    rows = [
        {"at": at, "y": bottom - height, "label": label}
        for label, height in zip(present, heights, strict=True)
    ]
    return _table(rows, LABEL_COLUMNS)


def share_rows(shares: Mapping[str, Interval], labels: Sequence[str]) -> Any:
    """One row per label that has a share; faint where too few visits back it."""
    rows = [
        {
            "label": label,
            "share": shares[label].value,
            "low": shares[label].low,
            "high": shares[label].high,
            "text": words.percent(shares[label].value),
            "range": words.percent_range(shares[label]),
            "n": shares[label].n,
            "opacity": 1.0 if shares[label].n >= THIN else theme.FAINT,
        }
        for label in labels
        if label in shares
    ]
    return _table(rows, SHARE_COLUMNS)


def _slot(slot: Slot, zone: ZoneInfo, labels: Sequence[str], shares: Mapping[str, Interval]) -> Row:
    figures, mood = slot.figures, slot.figures.mood
    kept_back = bool(labels and figures.visits and not shares)
    return {
        **_times(slot, zone),
        "state": (State.SUPPRESSED if kept_back else figures.state).value,
        "visits": figures.visits,
        "visits_opacity": theme.FAINT if slot.running else 1.0,
        "watched": words.NOTHING if figures.coverage is None else words.percent(figures.coverage),
        "strip": _strip_colour(figures.coverage),
        "mood": mood.value if mood else None,
        "mood_low": mood.low if mood else None,
        "mood_high": mood.high if mood else None,
        **{label: words.percent(shares[label].value) if shares else words.NOTHING for label in labels},
    }


def _strip_colour(coverage: float | None) -> str:
    if not coverage:
        return theme.BLANK
    return theme.ACCENT if coverage >= COVERAGE_FLOOR else theme.CAUTION


def _times(slot: Slot, zone: ZoneInfo) -> Row:
    start = to_wall_clock(slot.start, zone)
    return {"start": start // 1000, "end": (start + slot.end - slot.start) // 1000}


def _table(rows: Iterable[Row], columns: Sequence[str]) -> Any:
    """A table that keeps its columns when it has no rows."""
    return pd.DataFrame(list(rows), columns=list(columns))
