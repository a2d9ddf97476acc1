"""Stretches of time that figures are read for, cut into slots by the store's wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """`slots` equal stretches of `step` microseconds, a multiple of a minute, from `start` on.

    `now` is the time of reading, in the last slot or after it: what lies ahead is not counted as missed.
    """

    start: int
    step: int
    slots: int
    now: int

    def __post_init__(self) -> None:
        if self.start % MINUTE_US or self.step % MINUTE_US or self.step < MINUTE_US or self.slots < 1:
            raise ValueError(
                f"period of {self.slots} x {self.step} us from {self.start}: expected at least one slot of "
                "whole minutes from a whole minute"
            )

    @property
    def end(self) -> int:
        """The end of the last slot."""
        return self.edge(self.slots)

    def edge(self, slot: int) -> int:
        """The start of a slot, counted from 0."""
        return self.start + slot * self.step


def last_slots(slots: int, step: int, now: int, zone: ZoneInfo) -> Period:
    """The period whose last slot holds `now`; slots begin where the wall clock of `zone` shows round times.

    `step` divides a day. Where the clocks change within the period, the slots before it keep the length
    and miss the round times.
    """
    offset = to_wall_clock(now, zone) - now
    start = now - (now + offset) % step - (slots - 1) * step
    return Period(start, step, slots, now)


def to_wall_clock(time_us: int, zone: ZoneInfo) -> int:
    """What the wall clock of `zone` shows at a time, as microseconds since its own 1970-01-01."""
    moment = (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)
    return time_us + moment.utcoffset() // timedelta(microseconds=1)  # type: ignore[operator]
