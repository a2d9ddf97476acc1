"""The lengths of period that a viewer can choose, and the slots of each."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from storage.trends import Period, last_slots

_MINUTE_US = 60 * 10**6


@dataclass(frozen=True, slots=True)
class Span:
    """A length of period: its name, its slots, and the format of its times.

    `axis_format` is d3's, `slot_format` Python's. Slots are so wide that a shop with some visits a minute
    has few suppressed ones.
    """

    name: str
    slots: int
    slot_minutes: int
    slot_name: str
    axis_format: str
    slot_format: str

    def until(self, now: int, zone: ZoneInfo) -> Period:
        """The period that ends with the slot that contains `now`."""
        return last_slots(self.slots, self.slot_minutes * _MINUTE_US, now, zone)

    def refresh_seconds(self, least: float) -> float:
        """Seconds between two reads of its figures: at least `least`, longer for longer slots."""
        return max(least, self.slot_minutes / 6)


SPANS = {
    span.name: span
    for span in (
        Span("15 min", 15, 1, "minute", "%H:%M", "%H:%M"),
        Span("1 h", 12, 5, "5 minutes", "%H:%M", "%H:%M"),
        Span("24 h", 24, 60, "hour", "%H:%M", "%a %H:%M"),
        Span("7 days", 28, 360, "6 hours", "%a %-d", "%a %d %b %H:%M"),
    )
}
