"""Charts of days on which the clock changes: every slot beside the one before, labels in local time."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from dashboard import charts
from dashboard.scales import Scale, scale_of
from storage.figures.groups import Figures, State
from storage.figures.timeline import Timeline, Unit
from storage.figures.trend import Slot
from storage.local_time import day_start, hour_edges

DAYS = [
    ("Europe/Berlin", date(2026, 10, 25), 25),
    ("Europe/Berlin", date(2026, 3, 29), 23),
    ("America/St_Johns", date(2026, 11, 1), 25),
    ("America/St_Johns", date(2026, 3, 8), 23),
    ("Australia/Lord_Howe", date(2026, 4, 5), 25),
    ("Australia/Lord_Howe", date(2026, 10, 4), 24),
    ("Europe/Berlin", date(2026, 7, 1), 24),
]


def hours_of(zone: ZoneInfo, *days: date) -> Timeline:
    edges = sorted({edge for day in days for edge in hour_edges(day, zone)})
    return Timeline(tuple(edges), Unit.HOUR, edges[-1], zone)


def drawn(timeline: Timeline, scale: Scale) -> list[dict[str, int | str]]:
    """The slots of a chart, in the order of time."""
    slots = [Slot(a, b, False, Figures(State.NOBODY, 1.0, visits=0)) for a, b in pairwise(timeline.edges)]
    chart = charts.mood_over_time(slots, timeline.zone, scale)
    rows: list[dict[str, int | str]] = json.loads(chart.tables["slots"].to_json(orient="records"))
    return rows


def label_at(axis_ms: int, scale: Scale) -> str:
    """The label of a tick, as the axis makes it from the changes of the clock."""
    shift = next((shift for at, shift in reversed(scale.changes) if axis_ms >= at), 0)
    return datetime.fromtimestamp((axis_ms + shift) / 1000, UTC).strftime("%H:%M")


@pytest.mark.parametrize(("name", "day", "hours"), DAYS)
def test_hours_are_side_by_side_and_have_the_time_of_the_clock(name: str, day: date, hours: int) -> None:
    zone = ZoneInfo(name)
    for timeline in (hours_of(zone, day), hours_of(zone, day, day + timedelta(days=1))):
        scale = scale_of(timeline)
        rows = drawn(timeline, scale)
        assert len(rows) == hours + 24 * (timeline.slots > 30)
        assert all(a["end"] == b["start"] and b["start"] < b["end"] for a, b in pairwise(rows))
        for row, start in zip(rows, timeline.edges, strict=False):
            local = datetime.fromtimestamp(start / 1e6, zone)
            assert label_at(int(row["start"]), scale) == local.strftime("%H:%M")
        assert len({row["when"] for row in rows}) == len(rows), "no two hours have the same name"


def test_an_hour_that_occurs_twice_is_named_with_its_time_zone() -> None:
    timeline = hours_of(ZoneInfo("Europe/Berlin"), date(2026, 10, 25))
    scale = scale_of(timeline)
    assert [row["when"] for row in drawn(timeline, scale)][2:4] == [
        "Sun 25 Oct 02:00 to Sun 25 Oct 03:00 CEST",
        "Sun 25 Oct 02:00 to Sun 25 Oct 03:00 CET",
    ]
    text = json.dumps(charts.mood_over_time([], timeline.zone, scale).specification)
    (at,) = {int(each) for each in re.findall(r"time\(datum.value\) >= (\d+) \? -3600000 : 0", text)}
    assert datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M") == "03:00", "three hours have passed"


def test_a_day_without_a_change_has_the_axis_of_every_other_day() -> None:
    assert scale_of(hours_of(ZoneInfo("Europe/Berlin"), date(2026, 7, 1))).changes == ()
    assert scale_of(hours_of(ZoneInfo("UTC"), date(2026, 10, 25))).changes == ()


@pytest.mark.parametrize("first", [date(2026, 10, 23), date(2026, 3, 27)])
def test_days_of_23_and_25_hours_are_side_by_side(first: date) -> None:
    zone = ZoneInfo("Europe/Berlin")
    days = [first + timedelta(days=number) for number in range(6)]
    timeline = Timeline(
        tuple(day_start(day, zone) for day in days), Unit.DAY, day_start(days[-1], zone), zone
    )
    rows = drawn(timeline, scale_of(timeline))
    assert all(a["end"] == b["start"] for a, b in pairwise(rows))
    for row, (day, following) in zip(rows, pairwise(days), strict=True):
        assert row["when"] == f"{day:%a %d %b %Y} to {following:%a %d %b %Y}"
