"""What retention has deleted of a period."""

from __future__ import annotations

from datetime import UTC, datetime

from bus.messages import MICROSECONDS
from storage import tables
from storage.figures.timeline import Timeline
from storage.retention import Retention


def describe_deleted(timeline: Timeline, keep_visits_days: int) -> str:
    """Before which local time the visits of a period are deleted, in words; empty where none are."""
    oldest = Retention(visits=keep_visits_days).cutoffs(timeline.now)[tables.visits.c.first_seen]
    if timeline.start >= oldest:
        return ""
    moment = datetime.fromtimestamp(oldest / MICROSECONDS, UTC).astimezone(timeline.zone)
    kept = "1 day" if keep_visits_days == 1 else f"{keep_visits_days} days"
    return (
        f"Visits before {moment:%Y-%m-%d %H:%M} are deleted, since visits are kept for {kept}: the figures "
        "of this period begin there."
    )
