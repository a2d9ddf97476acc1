"""The baseline of an event has neither the event itself nor another one at the same cameras."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.event_baseline import BASELINE_DAYS, compared_days, find_baseline, overlapping_events
from storage.events import Event
from storage.local_time import day_start

ZONE = ZoneInfo("Europe/Berlin")
FIRST = date(2026, 3, 16)
CAMERAS = frozenset({"door", "till"})


def event(name: str, first: int, last: int, *cameras: str) -> Event:
    """An event on the days from `first` to `last`, numbered from `FIRST`."""
    start, end = (day_start(FIRST + timedelta(days=day), ZONE) for day in (first, last + 1))
    return Event(name, name, start, end, frozenset(cameras))


def days(first: int, last: int) -> tuple[date, date]:
    return FIRST + timedelta(days=first), FIRST + timedelta(days=last)


SALE = event("sale", 0, 13)


@pytest.mark.parametrize(
    ("others", "baseline"),
    [
        ([], (-BASELINE_DAYS, -1)),
        ([event("earlier", -40, -30)], (-29, -1)),
        ([event("overlaps", -20, 5)], (-BASELINE_DAYS, -21)),
        ([event("contains", -20, 50), event("earlier", -50, -45)], (-44, -21)),
        ([event("just before", -3, -1)], (-BASELINE_DAYS, -4)),
        ([event("later", 3, 5), event("as early", 0, 2)], (-BASELINE_DAYS, -1)),
        ([event("elsewhere", -20, 5, "attic")], (-BASELINE_DAYS, -1)),
        ([event("everywhere but briefly", -20, -20)], (-19, -1)),
        ([event("one", -50, -5), event("another", -4, -3)], (-BASELINE_DAYS, -51)),
        ([event("always", -400, 400)], None),
    ],
)
def test_the_baseline_has_no_day_of_another_event(
    others: list[Event], baseline: tuple[int, int] | None
) -> None:
    found = find_baseline(SALE, [SALE, *others], CAMERAS, ZONE)
    assert found == (days(*baseline) if baseline else None)


def test_an_event_longer_than_a_period_may_be_is_compared_with_the_time_before_it() -> None:
    long = event("long", 0, 500)
    first, last = compared_days(long, day_start(FIRST + timedelta(days=600), ZONE), ZONE)
    assert (first, (last - first).days) == (FIRST, 399)
    assert find_baseline(long, [long], None, ZONE) == days(-BASELINE_DAYS, -1)


def test_an_event_that_goes_on_is_compared_up_to_today() -> None:
    now = day_start(FIRST + timedelta(days=3), ZONE) + 1
    assert compared_days(SALE, now, ZONE) == days(0, 3)


def test_other_events_on_the_same_days_and_cameras_overlap() -> None:
    others = [
        event("before", -9, -1),
        event("into it", -9, 0),
        event("within", 3, 4, "till"),
        event("elsewhere", 3, 4, "attic"),
        event("out of it", 13, 20),
        event("after", 14, 20),
    ]
    found = overlapping_events(SALE, [SALE, *others], CAMERAS, days(0, 13), ZONE)
    assert [each.name for each in found] == ["into it", "within", "out of it"]
