"""The periods that can be chosen, and into what they are cut."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from storage.trends import Period, last_slots

_MINUTE_US = 60 * 10**6


@dataclass(frozen=True, slots=True)
class Span:
    """A choice of period: its name, its slots, and how times are written on the axis and beside a slot.

    Formats are d3's. Slots are wide enough that in a shop of some visits a minute most of them may be shown.
    """

    name: str
    slots: int
    slot_minutes: int
    slot_name: str
    axis_format: str
    slot_format: str

    def until(self, now: int, zone: ZoneInfo) -> Period:
        """The period that ends with the slot that holds `now`."""
        return last_slots(self.slots, self.slot_minutes * _MINUTE_US, now, zone)

    def refresh(self, fastest: float) -> float:
        """Seconds after which its figures are worth reading again: more often for finer slots."""
        return max(fastest, self.slot_minutes / 6)


SPANS = {
    span.name: span
    for span in (
        Span("15 min", 15, 1, "minute", "%H:%M", "%H:%M"),
        Span("1 h", 12, 5, "5 minutes", "%H:%M", "%H:%M"),
        Span("24 h", 24, 60, "hour", "%H:%M", "%a %H:%M"),
        Span("7 days", 28, 360, "6 hours", "%a %-d", "%a %-d %b %H:%M"),
    )
}
