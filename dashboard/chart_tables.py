"""Conversion of figures to the tables that charts draw; pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # type: ignore[import-untyped]

from dashboard import formats, theme
from dashboard.label_layout import assign_lanes, place_labels
from dashboard.scales import Scale
from storage.events import Event
from storage.figures import groups
from storage.figures.groups import COVERAGE_FLOOR, HARDLY_OBSERVED, THIN, Figures, State
from storage.figures.trend import DAYS_OF_WEEK, Slot
from storage.intervals import Interval
from storage.local_time import HOUR_US, to_local_time

Row = dict[str, Any]
GetShares = Callable[[Figures], Mapping[str, Interval]]
"""Takes the shares by label from the figures of a group of visits."""

Estimate = Callable[[Figures], str]
"""Takes the state of an estimate in words: whether it is shown, or why it is missing."""

EXPRESSION: Estimate = groups.expression_state
GENDER: Estimate = groups.gender_state
NOT_ESTIMATED = groups.NOT_ESTIMATED

LABEL_GAP = 17
"""Pixels between two labels."""

SLOT_COLUMNS = (
    *("start", "end", "when", "state", "visits", "visits_opacity", "watched", "strip"),
    *("mood", "mood_low", "mood_high"),
)
STACK_COLUMNS = ("start", "end", "label", "low", "high")
LABEL_COLUMNS = ("at", "y", "label")
EVENT_COLUMNS = ("start", "end", "name", "when", "lane", "align", "at", "room_from", "room_to")
MOST_LANES = 3
"""The greatest number of events one above the other."""
SHARE_COLUMNS = ("label", "share", "low", "high", "text", "range", "n", "opacity")


def slot_table(
    slots: Sequence[Slot],
    zone: ZoneInfo,
    scale: Scale,
    labels: Sequence[str],
    get_shares: GetShares,
    estimate: Estimate = groups.visit_state,
) -> Any:
    """One row per slot, with one text column per label; its state is that of the visits or of an `estimate`.

    Times are milliseconds of the axis, which shows the local time of the first slot and runs on from there,
    so that slots are side by side where the clock changes.
    """
    rows = [
        {
            **_times(slot, slots, zone),
            **_slot(slot, zone, scale, labels, get_shares(slot.figures)),
            "state": _state(slot.figures, estimate),
        }
        for slot in slots
    ]
    return _table(rows, (*SLOT_COLUMNS, *labels))


def stack_table(slots: Sequence[Slot], zone: ZoneInfo, labels: Sequence[str], get_shares: GetShares) -> Any:
    """One row per slot and label with a share: the edges of its part of the stack, 0 to 1."""
    rows: list[Row] = []
    for slot in slots:
        shares, low = get_shares(slot.figures), 0.0
        for label in labels:
            high = low + (shares[label].value if label in shares else 0.0)
            if high > low:
                rows.append({**_times(slot, slots, zone), "label": label, "low": low, "high": high})
            low = high
    return _table(rows, STACK_COLUMNS)


def label_table(
    slots: Sequence[Slot], zone: ZoneInfo, labels: Sequence[str], get_shares: GetShares, top: int, bottom: int
) -> Any:
    """The position of each label, in pixels between `top` and `bottom`: beside its part of the last stack."""
    shown = [shares for slot in slots if (shares := get_shares(slot.figures))]
    if not shown:
        return _table([], LABEL_COLUMNS)
    present = [label for label in labels if any(shares[label].value for shares in shown)]
    middles, low = [], 0.0
    for label in present:
        share = shown[-1][label].value
        middles.append((low + share / 2) * (bottom - top))
        low += share
    at = _times(slots[-1], slots, zone)["end"]
    heights = place_labels(middles, LABEL_GAP, 6, bottom - top - 6)
    rows = [
        {"at": at, "y": bottom - height, "label": label}
        for label, height in zip(present, heights, strict=True)
    ]
    return _table(rows, LABEL_COLUMNS)


def event_table(events: Iterable[Event], slots: Sequence[Slot], zone: ZoneInfo) -> Any:
    """One row per event within the time of the slots, cut at their ends, with its lane and its label.

    The label begins or ends `at` a time of the axis, as `align` says, and may be as long as from `room_from`
    to `room_to`, where no other label of the lane is.
    """
    rows: list[Row] = []
    for event in sorted(events, key=lambda event: event.start):
        start, end = max(event.start, slots[0].start), min(event.end, slots[-1].end)
        if start < end:
            times = [_axis_time(time, slots, zone) for time in (start, end)]
            full = [to_local_time(time, zone) // 1000 for time in (event.start, event.end - 1)]
            when = " to ".join(_local_datetime(time).strftime("%a %d %b %Y") for time in full)
            rows.append({"start": times[0], "end": times[1], "name": event.name, "when": when})
    limits = [_axis_time(time, slots, zone) for time in (slots[0].start, slots[-1].end)]
    for row, lane in zip(
        rows, assign_lanes([(row["start"], row["end"]) for row in rows], MOST_LANES), strict=True
    ):
        row["lane"] = lane
    for lane in range(MOST_LANES):
        _place_event_labels([row for row in rows if row["lane"] == lane], *limits)
    return _table(rows, EVENT_COLUMNS)


def _place_event_labels(rows: Sequence[Row], first: int, last: int) -> None:
    """Each label begins with its event; the last one ends with it where there is more room on that side."""
    for number, row in enumerate(rows):
        before = rows[number - 1]["end"] if number else first
        after = rows[number + 1]["start"] if number + 1 < len(rows) else last
        row |= {"align": "left", "at": row["start"], "room_from": row["start"], "room_to": after}
        if number + 1 == len(rows) and row["end"] - before > last - row["start"]:
            row |= {"align": "right", "at": row["end"], "room_from": before, "room_to": row["end"]}
            if number:
                rows[number - 1]["room_to"] = before


def share_table(shares: Mapping[str, Interval], labels: Sequence[str]) -> Any:
    """One row per label with a share; its bar is faint where it is from few visits."""
    rows = [
        {
            "label": label,
            "share": shares[label].value,
            "low": shares[label].low,
            "high": shares[label].high,
            "text": formats.percent(shares[label].value),
            "range": formats.percent_range(shares[label]),
            "n": shares[label].n,
            "opacity": 1.0 if shares[label].n >= THIN else theme.FAINT,
        }
        for label in labels
        if label in shares
    ]
    return _table(rows, SHARE_COLUMNS)


def _slot(
    slot: Slot, zone: ZoneInfo, scale: Scale, labels: Sequence[str], shares: Mapping[str, Interval]
) -> Row:
    figures, mood, coverage = slot.figures, slot.figures.mood, slot.figures.coverage
    return {
        "when": _when(slot, zone, scale) + _missing_days(slot),
        "visits": figures.visits,
        "visits_opacity": theme.FAINT if slot.running or _missing_days(slot) else 1.0,
        "watched": _watched(figures),
        "strip": _strip_colour(coverage),
        "mood": mood.value if mood else None,
        "mood_low": mood.low if mood else None,
        "mood_high": mood.high if mood else None,
        **{label: formats.percent(shares[label].value) if shares else formats.NO_VALUE for label in labels},
    }


def _missing_days(slot: Slot) -> str:
    """Which days of a week are not in its figures, in words; empty where all are."""
    cut = "" if slot.days is None else f", {slot.days} of {DAYS_OF_WEEK} days"
    if not slot.hidden_days:
        return cut
    return f"{cut}, {slot.hidden_days} of {slot.days or DAYS_OF_WEEK} days hidden"


def _watched(figures: Figures) -> str:
    if figures.coverage is None:
        return formats.NO_VALUE
    hardly = groups.visit_state(figures) == HARDLY_OBSERVED
    return formats.percent(figures.coverage) + (f", {HARDLY_OBSERVED}" if hardly else "")


def _state(figures: Figures, estimate: Estimate) -> str:
    """The state of a slot; the layers draw one that was hardly observed like one that was not."""
    state = estimate(figures)
    return State.UNOBSERVED.value if state == HARDLY_OBSERVED else state


def _strip_colour(coverage: float | None) -> str:
    if not coverage:
        return theme.BLANK
    return theme.ACCENT if coverage >= COVERAGE_FLOOR else theme.CAUTION


def _local_datetime(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _when(slot: Slot, zone: ZoneInfo, scale: Scale) -> str:
    """The time of a slot in words; with the name of the local time where an hour may occur twice."""
    start = to_local_time(slot.start, zone)
    # Days end at midnight, whatever their length; shorter slots in the time in which they start.
    end = start + slot.end - slot.start if slot.end - slot.start <= HOUR_US else to_local_time(slot.end, zone)
    text = " to ".join(_local_datetime(time // 1000).strftime(scale.slot_format) for time in (start, end))
    if not scale.changes:
        return text
    return f"{text} {_local_datetime(slot.start // 1000).astimezone(zone).tzname()}"


def _times(slot: Slot, slots: Sequence[Slot], zone: ZoneInfo) -> dict[str, int]:
    return {"start": _axis_time(slot.start, slots, zone), "end": _axis_time(slot.end, slots, zone)}


def _axis_time(time_us: int, slots: Sequence[Slot], zone: ZoneInfo) -> int:
    first = slots[0].start
    return (to_local_time(first, zone) + time_us - first) // 1000


def _table(rows: Iterable[Row], columns: Sequence[str]) -> Any:
    """A table that has its columns even without rows."""
    return pd.DataFrame(list(rows), columns=list(columns))
