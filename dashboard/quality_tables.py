"""The tables of the page Quality & privacy as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from zoneinfo import ZoneInfo

from dashboard import formats
from storage.day_partitions import DAY_US, start_of_day
from storage.figures.quality import CameraQuality
from storage.local_time import date_of

_NAMES = {
    "analysed": "Analysed",
    "unchanged": "No change",
    "stale": "Too old",
    "failed": "Unreadable",
    "dropped": "Dropped",
}
_KINDS = {
    "visits": "Visits, and their sums by minute, hour and day",
    "observations": "Estimates of single seconds of a visit",
    "coverage": "Frame counts by minute",
}


def camera_table(found: Sequence[CameraQuality], names: Mapping[str, str]) -> str:
    """One row for each camera: coverage, frames, and shares of what became of them."""
    heads = ("Camera", "Coverage", "Frames", *_NAMES.values(), "Delay")
    rows = []
    for each in found:
        coverage = formats.NO_VALUE if each.coverage is None else formats.percent(each.coverage)
        shares = [
            formats.percent(each.outcomes[name] / each.captured) if each.captured else formats.NO_VALUE
            for name in _NAMES
        ]
        delay = formats.NO_VALUE if each.age_us is None else f"{each.age_us / 1000:.0f} ms"
        name = escape(names.get(each.camera_id, each.camera_id))
        rows.append((name, coverage, formats.count(each.captured), *shares, delay))
    return _table(heads, rows)


def retention_table(
    kept: Mapping[str, int], oldest: Mapping[str, int | None], now: int, zone: ZoneInfo
) -> str:
    """What is stored, for how many days, since when, and when the oldest rows are deleted."""
    rows = []
    for kind, days in kept.items():
        first = oldest.get(kind)
        if first is None:
            since, until = "nothing stored", formats.NO_VALUE
        else:
            end = start_of_day(first) + (days + 1) * DAY_US
            left = max(-(-(end - now) // DAY_US), 0)
            since, until = _date(first, zone), f"{_date(end, zone)}, in {left} days"
        rows.append((_KINDS[kind], f"{days} days", since, until))
    return _table(("What", "Kept for", "Oldest from", "Deleted on"), rows)


def _date(time_us: int, zone: ZoneInfo) -> str:
    return f"{date_of(time_us, zone):%d %b %Y}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{name}"><div>{cell}</div></td>' for name, cell in zip(heads, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<table class="mien compared"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
