"""How times are written on axes and in tooltips, by the unit of the slots."""

from __future__ import annotations

from dataclasses import dataclass

from storage.figures.timeline import Timeline, Unit

_LONG_HOURS = 30


@dataclass(frozen=True, slots=True)
class Scale:
    """The name of a slot, and the formats of its times: `axis_format` is d3's, `slot_format` Python's."""

    slot_name: str
    axis_format: str
    slot_format: str


_DAYS = "%a %d %b %Y"
SCALES = {
    Unit.MINUTE: Scale("minute", "%H:%M", "%a %d %b %H:%M"),
    Unit.FIVE_MINUTES: Scale("5 minutes", "%H:%M", "%a %d %b %H:%M"),
    Unit.HOUR: Scale("hour", "%H:%M", "%a %d %b %H:%M"),
    Unit.DAY: Scale("day", "%-d %b", _DAYS),
    Unit.WEEK: Scale("week", "%-d %b", _DAYS),
}
_LONG_HOUR = Scale("hour", "%-d %b", "%a %d %b %H:%M")


def scale_of(timeline: Timeline) -> Scale:
    """The scale of a timeline."""
    if timeline.unit is Unit.HOUR and timeline.slots > _LONG_HOURS:
        return _LONG_HOUR
    return SCALES[timeline.unit]
