"""The tables and bars of the page Quality & privacy as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from zoneinfo import ZoneInfo

from dashboard import formats, theme
from mien.model_cards import CardTable, ModelFile
from mien.privacy_check import Look, Outcome
from storage.day_partitions import DAY_US, start_of_day
from storage.dead_letters import DeadLetters
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
    "visits": "Visits, their sums by minute, and sums by hour and day with frame counts",
    "observations": "Estimates of single seconds of a visit",
    "coverage": "Frame counts by minute",
    "audit": "Audit log: who changed what, who signed in",
}
_FURTHER = {
    "Messages of alerts, positions in the bus, processes that captured": "30 days",
    "Cameras, events, alert rules": "until they are removed",
    "Pauses of cameras": "as long as visits or frame counts",
}
"""What else is stored; it contains nothing about visitors."""

_OUTCOMES = {
    Outcome.CLEAN: "nothing found",
    Outcome.FOUND: "found",
    Outcome.ALLOWED: "allowed",
    Outcome.UNREAD: "not looked at",
    Outcome.NOTE: "note",
}
_UNKNOWN_CAMERA = "no valid camera"


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
    return html_table(heads, rows)


def retention_table(
    kept: Mapping[str, int], oldest: Mapping[str, int | None], now: int, zone: ZoneInfo
) -> str:
    """What is stored, for how many days, since when, and when the oldest rows are deleted.

    A kind that `oldest` does not name has no times.
    """
    rows = []
    for kind, days in kept.items():
        first = oldest.get(kind)
        if first is None:
            since, until = "nothing stored" if kind in oldest else formats.NO_VALUE, formats.NO_VALUE
        else:
            end = start_of_day(first) + (days + 1) * DAY_US
            left = max(-(-(end - now) // DAY_US), 0)
            since, until = _date(first, zone), f"{_date(end, zone)}, in {left} days"
        rows.append((_KINDS[kind], f"{days} days", since, until))
    rows += [(what, until, formats.NO_VALUE, formats.NO_VALUE) for what, until in _FURTHER.items()]
    return html_table(("What", "Kept for", "Oldest from", "Deleted on"), rows)


def class_bars(counts: Sequence[int], labels: Sequence[str], faint: int = 0) -> str:
    """The share of visits in each class as bars; the first `faint` classes are marked as doubtful."""
    total, largest = sum(counts), max(counts, default=0)
    rows = []
    for number, (label, count) in enumerate(zip(labels, counts, strict=True)):
        share = count / total if total else 0.0
        width = 100 * count / largest if largest else 0.0
        colour = theme.css_colour(theme.CAUTION if number < faint else theme.ACCENT)
        rows.append(
            f'<tr><th scope="row">{escape(label)}</th>'
            f'<td><div class="bar" style="width:{width:.1f}%;background:{colour}"></div></td>'
            f"<td>{formats.percent(share)}</td></tr>"
        )
    return f'<table class="mien bars"><tbody>{"".join(rows)}</tbody></table>'


def edge_labels(edges: Sequence[float], unit: str = "", scale: float = 1) -> list[str]:
    """The names of the classes between edges: under the first, between two, from the last on."""
    shown = [f"{scale * edge:g}" for edge in edges]
    inner = [f"{low} to {high}{unit}" for low, high in pairwise(shown)]
    return [f"under {shown[0]}{unit}", *inner, f"from {shown[-1]}{unit} on"]


def dead_letter_table(found: Sequence[DeadLetters], names: Mapping[str, str]) -> str:
    """Rejected records by camera and reason."""
    rows = [
        (
            escape(names.get(each.camera_id, each.camera_id) or _UNKNOWN_CAMERA),
            escape(each.reason),
            formats.count(each.records),
        )
        for each in found
    ]
    return html_table(("Camera", "Reason", "Records"), rows)


def card_table(table: CardTable) -> str:
    """A table of a model card."""
    return html_table(
        tuple(
            escape(head.capitalize() if head.islower() and len(head) > 1 else head) for head in table.heads
        ),
        [tuple(escape(cell) for cell in row) for row in table.rows],
    )


def file_table(files: Sequence[ModelFile]) -> str:
    """Model files with their checksums."""
    rows = [
        (
            escape(each.name),
            f"<code>{escape(each.sha256)}</code>",
            "as shipped" if each.shipped else "<b>differs or is missing</b>",
        )
        for each in files
    ]
    return html_table(("File", "SHA-256", "Checked"), rows)


def look_table(looks: Sequence[Look]) -> str:
    """What a privacy check looked at, with the outcome."""
    rows = [
        (
            escape(each.place),
            f"<b>{_OUTCOMES[each.outcome]}</b>"
            if each.outcome in {Outcome.FOUND, Outcome.UNREAD}
            else _OUTCOMES[each.outcome],
            escape(each.details),
        )
        for each in looks
    ]
    return html_table(("Place", "Outcome", "What was looked at"), rows)


def _date(time_us: int, zone: ZoneInfo) -> str:
    return f"{date_of(time_us, zone):%d %b %Y}"


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped texts; on a narrow screen each row is a card."""
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
