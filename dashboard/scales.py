"""How times are written on axes and in tooltips, by the unit of the slots."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from storage.figures.timeline import Timeline, Unit
from storage.local_time import to_local_time

_LONG_HOURS = 30


@dataclass(frozen=True, slots=True)
class Scale:
    """The name of a slot, and the formats of its times: `axis_format` is d3's, `slot_format` Python's.

    `changes` are the changes of the clock: where each is on the axis, which runs on without a change, and by
    how much labels from there on differ from the axis, both in milliseconds.
    """

    slot_name: str
    axis_format: str
    slot_format: str
    changes: tuple[tuple[int, int], ...] = ()

    @property
    def axis(self) -> Scale:
        """What is on the axis alone: charts of scales with the same axis have one specification."""
        return replace(self, slot_name="", slot_format="")


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
    is_long = timeline.unit is Unit.HOUR and timeline.slots > _LONG_HOURS
    scale = _LONG_HOUR if is_long else SCALES[timeline.unit]
    return scale if timeline.unit.minutes is None else replace(scale, changes=_clock_changes(timeline))


def _clock_changes(timeline: Timeline) -> tuple[tuple[int, int], ...]:
    offsets = [(edge, to_local_time(edge, timeline.zone) - edge) for edge in timeline.edges]
    first = offsets[0][1]
    return tuple(
        ((edge + first) // 1000, (offset - first) // 1000)
        for (_, before), (edge, offset) in pairwise(offsets)
        if offset != before
    )
