"""Days and hours in the local time of a shop, as UTC microseconds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bus.messages import MICROSECONDS

HOUR_US = 3600 * MICROSECONDS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_start(day: date, zone: ZoneInfo) -> int:
    """The start of a local day; where midnight does not exist, the first moment of the day."""
    moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def date_of(time_us: int, zone: ZoneInfo) -> date:
    """The local date of a time."""
    return (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone).date()


def dates(first: date, last: date) -> list[date]:
    """All days from `first` to `last`, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def hour_edges(day: date, zone: ZoneInfo) -> list[int]:
    """The edges of the hours of a local day: 25 of 24 hours, one fewer or more where the clock changes.

    Hours are counted from the start of the day. Where the clock changes by half an hour, the last is short.
    """
    start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    return [*range(start, end, HOUR_US), end]


def hour_start(time_us: int, zone: ZoneInfo) -> int:
    """The start of the local hour that contains a time."""
    midnight = day_start(date_of(time_us, zone), zone)
    return time_us - (time_us - midnight) % HOUR_US


def to_local_time(time_us: int, zone: ZoneInfo) -> int:
    """A UTC time as local time of `zone`, in microseconds since 1970-01-01 local time."""
    moment = (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone)
    return time_us + moment.utcoffset() // timedelta(microseconds=1)  # type: ignore[operator]
