"""Periods for which figures are read, divided into slots in the shop's local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bus.messages import MINUTE_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """`slots` equal slots of `step` microseconds, a multiple of a minute, from `start` on.

    `now` is the time of the query, in the last slot or after it; later time does not count as scheduled.
    """

    start: int
    step: int
    slots: int
    now: int

    def __post_init__(self) -> None:
        if self.start % MINUTE_US or self.step % MINUTE_US or self.step < MINUTE_US or self.slots < 1:
            raise ValueError(
                f"period of {self.slots} x {self.step} us from {self.start}: expected at least one slot of "
                "full minutes from a full minute"
            )

    @property
    def end(self) -> int:
        """The end of the last slot."""
        return self.edge(self.slots)

    def edge(self, slot: int) -> int:
        """The start of a slot, counted from 0."""
        return self.start + slot * self.step


def last_slots(slots: int, step: int, now: int, zone: ZoneInfo) -> Period:
    """The period whose last slot contains `now`; slots start at round local times of `zone`.

    `step` divides a day. Where the UTC offset changes within the period, slots before the change keep their
    length and do not start at round times.
    """
    offset = to_local_time(now, zone) - now
    start = now - (now + offset) % step - (slots - 1) * step
    return Period(start, step, slots, now)


def to_local_time(time_us: int, zone: ZoneInfo) -> int:
    """A UTC time as local time of `zone`, in microseconds since 1970-01-01 local time."""
    moment = (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)
    return time_us + moment.utcoffset() // timedelta(microseconds=1)  # type: ignore[operator]
