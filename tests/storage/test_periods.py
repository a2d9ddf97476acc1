from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage.periods import Period, last_slots, to_wall_clock

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def us(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_the_last_slot_holds_now() -> None:
    now = us("2026-03-04T12:34:56+00:00")
    period = last_slots(12, 5 * MINUTE, now, ZoneInfo("UTC"))
    assert period.start == us("2026-03-04T11:35:00+00:00")
    assert period.edge(11) == us("2026-03-04T12:30:00+00:00")
    assert period.end == us("2026-03-04T12:35:00+00:00")
    assert period.now == now


def test_slots_begin_at_round_times_of_the_shop() -> None:
    now = us("2026-03-04T12:34:56+00:00")
    kolkata = last_slots(24, HOUR, now, ZoneInfo("Asia/Kolkata"))
    assert kolkata.edge(23) == us("2026-03-04T18:00:00+05:30")
    berlin = last_slots(4, 6 * HOUR, now, ZoneInfo("Europe/Berlin"))
    assert berlin.edge(3) == us("2026-03-04T12:00:00+01:00")


def test_wall_clock_follows_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    winter, summer = us("2026-01-05T10:00:00+00:00"), us("2026-07-05T10:00:00+00:00")
    assert to_wall_clock(winter, berlin) - winter == HOUR
    assert to_wall_clock(summer, berlin) - summer == 2 * HOUR


@pytest.mark.parametrize(
    ("start", "step", "slots"), [(1, MINUTE, 1), (0, 90_000_000, 1), (0, 0, 1), (0, MINUTE, 0)]
)
def test_slots_are_whole_minutes(start: int, step: int, slots: int) -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        Period(start, step, slots, now=0)
